-- SPDX-License-Identifier: BSD-2-Clause
-- A pooled connection on which data comes is used no more.
--[=[ upstream
signal = accept()
first = accept()
first.wait("first")
first.send("unasked")
signal.send("now")
accept()
]=]
local t = require "parity"
local signal = t.connect({ pool = "signal" .. t.port() })
local sock = t.connect()
sock:send("first")
t.say(sock:setkeepalive())
signal:receive(3)
sock = t.connect()
t.say(sock:getreusedtimes())
sock:send("second")
sock:close()
