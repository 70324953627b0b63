-- SPDX-License-Identifier: BSD-2-Clause
-- Of a datagram that is longer than was asked for the rest is lost, and below 0 there is no limit.
--[=[ udp
for n in range(15):
    receive()
    reply("answer")
]=]
local t = require "parity"
local sock = ngx.socket.udp()
sock:settimeout(5000)
sock:setpeername("127.0.0.1", t.udp_port())
for _, size in ipairs { 0, "0", 0.5, -0.5, -1, "-1", -5, "3", 1.5, 2 ^ 32, 2 ^ 32 + 3, 65536, 65537, 0 / 0 } do
    sock:send("x")
    t.try(sock.receive, sock, size)
end
sock:send("x")
for _, size in ipairs { "x", {}, true } do
    t.try(sock.receive, sock, size)
end
t.say(sock:receive())
sock:settimeout(20)
t.say(sock:receive(0))
sock:close()
t.say(sock:receive(0))
