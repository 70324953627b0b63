-- SPDX-License-Identifier: BSD-2-Clause
-- Datagrams in parts, empty ones, and those too long for what was asked.
--[=[ udp
for n in range(4):
    receive()
reply("x" * 100)
receive()
reply("")
]=]
local t = require "parity"
local sock = ngx.socket.udp()
sock:settimeout(5000)
sock:setpeername("127.0.0.1", t.udp_port())
t.say(sock:send("text"))
t.say(sock:send({ "a", { "b", 1 } }))
t.say(sock:send(""))
t.say(sock:send(5))
t.say(sock:receive(10))
t.say(sock:send("more"))
t.say(sock:receive())
