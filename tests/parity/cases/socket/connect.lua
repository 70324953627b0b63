-- SPDX-License-Identifier: BSD-2-Clause
-- connect, send, receive and close.
--[=[ upstream
accept()
wait("hello\n")
send("world\r\n")
]=]
local t = require "parity"
local sock, err = ngx.socket.tcp()
t.say(type(sock), err)
t.say(sock:connect("127.0.0.1", t.port()))
t.say(sock:getreusedtimes())
t.say(sock:send("hello\n"))
t.say(sock:receive())
t.say(sock:close())
t.say(sock:close())
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:getreusedtimes())
t.say(sock:setkeepalive())
