-- SPDX-License-Identifier: BSD-2-Clause
-- Calls on a socket that is not connected.
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:receive(5))
t.say(sock:receiveany(5))
t.say(sock:receiveuntil("x")())
t.say(sock:close())
t.say(sock:getreusedtimes())
t.say(sock:setkeepalive())
t.try(sock.sslhandshake, sock)
t.try(sock.setoption, sock, "keepalive", true)
t.say(sock:settimeout(5))
