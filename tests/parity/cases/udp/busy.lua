-- SPDX-License-Identifier: BSD-2-Clause
-- A second receive, and a send meanwhile.
--[=[ udp
receive()
receive()
reply("answer", to=0)
]=]
local t = require "parity"
local sock, other = ngx.socket.udp(), ngx.socket.udp()
sock:settimeout(5000)
sock:setpeername("127.0.0.1", t.udp_port())
other:setpeername("127.0.0.1", t.udp_port())
sock:send("one")
local reader = ngx.thread.spawn(function() return sock:receive() end)
t.say(sock:receive())
t.say(sock:send("two"))
t.say(other:send("go"))
t.say(ngx.thread.wait(reader))
