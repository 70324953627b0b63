-- SPDX-License-Identifier: BSD-2-Clause
-- Nobody there.
local t = require "parity"
local sock = ngx.socket.udp()
sock:settimeout(500)
t.say(sock:setpeername("127.0.0.1", 1))
t.say(sock:send("x"))
t.say(sock:receive())
