-- SPDX-License-Identifier: BSD-2-Clause
-- What is there, up to a limit.
--[=[ upstream
accept()
send("0123456789")
wait("more")
send("abc")
leave()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive(1))
t.say(sock:receiveany(4))
t.say(sock:receiveany(100))
sock:send("more")
t.say(sock:receiveany(100))
t.say(sock:receiveany(100))
t.try(sock.receiveany, sock, 0)
t.try(sock.receiveany, sock, -1)
t.try(sock.receiveany, sock, "x")
t.try(sock.receiveany, sock)
sock:close()
