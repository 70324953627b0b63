-- SPDX-License-Identifier: BSD-2-Clause
-- The end within what was asked for: the partial data.
--[=[ upstream
accept()
send("partial")
leave()
accept()
send("part")
leave()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive(100))
t.say(sock:receive(1))
t.say(sock:close())
sock = t.connect()
t.say(sock:receive())
t.say(sock:receive())
t.say(sock:send("x"))
