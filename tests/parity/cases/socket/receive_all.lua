-- SPDX-License-Identifier: BSD-2-Clause
-- Everything up to the end.
--[=[ upstream
accept()
send("first\nsecond\r\nthird")
leave()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive())
t.say(sock:receive("*a"))
t.say(sock:receive("*a"))
t.say(sock:receive())
t.say(sock:close())
