-- SPDX-License-Identifier: BSD-2-Clause
-- A name.
--[=[ udp
receive()
reply("found")
]=]
local t = require "parity"
local sock = ngx.socket.udp()
sock:settimeout(5000)
t.say(sock:setpeername("app.parity", t.udp_port()))
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:setpeername("none.parity", 53))
