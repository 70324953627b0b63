-- SPDX-License-Identifier: BSD-2-Clause
-- What udp sockets do not take.
local t = require "parity"
local sock = ngx.socket.udp()
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:close())
t.try(sock.setpeername, sock)
t.say(sock:setpeername("127.0.0.1", 65536))
t.say(sock:setpeername("127.0.0.1", -1))
t.try(sock.settimeout, sock)
