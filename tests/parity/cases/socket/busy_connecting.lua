-- SPDX-License-Identifier: BSD-2-Clause
-- Calls while a socket connects.
local t = require "parity"
local sock = ngx.socket.tcp()
local first = ngx.thread.spawn(function() return sock:connect("slow.parity", 80) end)
t.say(sock:connect("127.0.0.1", 1))
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:close())
ngx.thread.kill(first)
