-- SPDX-License-Identifier: BSD-2-Clause
-- A full pool closes the one that was longest in it.
--[=[ upstream
a = accept()
b = accept()
a.wait("1")
a.end()
]=]
local t = require "parity"
local first, second = t.connect(), t.connect()
first:send("1")
second:send("2")
t.say(first:setkeepalive(5000, 1))
t.say(second:setkeepalive(5000, 1))
local again = t.connect()
t.say(again:getreusedtimes())
again:close()
