-- SPDX-License-Identifier: BSD-2-Clause
-- Timeouts and the data that came before them.
--[=[ upstream
accept()
send("part")
wait("go on")
send("ly\n")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive(2))
sock:settimeout(20)
t.say(sock:receive())
t.say(sock:receive())
sock:settimeout(5000)
t.say(sock:send("go on"))
t.say(sock:receive())
sock:close()
