-- SPDX-License-Identifier: BSD-2-Clause
-- No answer.
--[=[ udp
receive()
]=]
local t = require "parity"
local sock = ngx.socket.udp()
sock:settimeout(20)
sock:setpeername("127.0.0.1", t.udp_port())
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:close())
