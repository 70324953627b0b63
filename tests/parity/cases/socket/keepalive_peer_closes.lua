-- SPDX-License-Identifier: BSD-2-Clause
-- A pooled connection that the peer closes is used no more.
--[=[ upstream
accept()
wait("first")
leave()
accept()
]=]
local t = require "parity"
local sock = t.connect()
sock:send("first")
t.say(sock:setkeepalive())
ngx.sleep(0.05)
sock = t.connect()
t.say(sock:getreusedtimes())
sock:send("second")
sock:close()
