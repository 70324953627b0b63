-- SPDX-License-Identifier: BSD-2-Clause
-- Lines, with and without CR.
--[=[ upstream
accept()
send("one\ntwo\r\nthr\ree\r\n\r\n\nlast")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive())
t.say(sock:receive("*l"))
t.try(sock.receive, sock, "l")
t.say(sock:receive())
t.say(sock:receive())
t.say(sock:settimeout(20))
t.say(sock:receive())
sock:close()
