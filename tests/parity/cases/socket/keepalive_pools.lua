-- SPDX-License-Identifier: BSD-2-Clause
-- Pools have names.
--[=[ upstream
accept()
accept()
]=]
local t = require "parity"
local port = t.port()
local a = t.connect({ pool = "a" .. port })
a:send("a")
a:setkeepalive()
local b = t.connect({ pool = "b" .. port })
t.say(b:getreusedtimes())
b:send("b")
b:close()
a = t.connect({ pool = "a" .. port })
t.say(a:getreusedtimes())
a:close()
