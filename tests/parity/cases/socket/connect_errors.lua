-- SPDX-License-Identifier: BSD-2-Clause
-- What connect says when it does not.
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:connect("127.0.0.1", 1))
t.say(sock:connect("127.0.0.1"))
t.say(sock:connect("127.0.0.1", 65536))
t.say(sock:connect("127.0.0.1", -1))
t.say(sock:connect("none.parity", 80))
t.say(sock:connect("unix:/nowhere/at/all"))
t.say(sock:connect("unix:"))
t.try(sock.connect, sock)
t.try(sock.connect)
t.try(sock.connect, sock, "127.0.0.1", "x")
t.try(sock.connect, sock, {}, 1)
