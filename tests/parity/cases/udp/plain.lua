-- SPDX-License-Identifier: BSD-2-Clause
-- setpeername, send, receive and close.
--[=[ udp
receive()
reply("pong")
]=]
local t = require "parity"
local sock, err = ngx.socket.udp()
t.say(type(sock), err)
sock:settimeout(5000)
t.say(sock:setpeername("127.0.0.1", t.udp_port()))
t.say(sock:send("ping"))
t.say(sock:receive())
t.say(sock:close())
t.say(sock:close())
t.say(sock:send("x"))
t.say(sock:receive())
