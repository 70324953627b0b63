-- SPDX-License-Identifier: BSD-2-Clause
-- What send takes.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:send("text "))
t.say(sock:send({ "a", { "b", { 1, 2.5 } }, "c " }))
t.say(sock:send(42))
t.say(sock:send(""))
t.say(sock:send({}))
t.try(sock.send, sock, true)
t.try(sock.send, sock, nil)
t.try(sock.send, sock, { true, false, "x" })
t.try(sock.send, sock, { a = 1 })
t.try(sock.send, sock, print)
t.try(sock.send, sock)
sock:close()
