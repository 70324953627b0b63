-- SPDX-License-Identifier: BSD-2-Clause
-- A unix socket.
--[=[ upstream
accept_unix()
wait("hello\n")
send("world\n")
]=]
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:connect("unix:" .. t.path()))
t.say(sock:getreusedtimes())
t.say(sock:send("hello\n"))
t.say(sock:receive())
t.say(sock:close())
