-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout before the pattern.
--[=[ upstream
accept()
send("begun ")
wait("go on")
send("and ended--rest\n")
]=]
local t = require "parity"
local sock = t.connect()
local read = sock:receiveuntil("--")
t.say(sock:receive(1))
sock:settimeout(20)
t.say(read())
sock:settimeout(5000)
sock:send("go on")
t.say(read())
t.say(sock:receive())
sock:close()
