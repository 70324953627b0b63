-- SPDX-License-Identifier: BSD-2-Clause
-- Two readers on a socket.
--[=[ upstream
accept()
wait("go")
send("line\n")
]=]
local t = require "parity"
local sock = t.connect()
local first = ngx.thread.spawn(function() return sock:receive() end)
t.say(sock:receive())
t.say(sock:receiveany(5))
t.say(sock:setkeepalive())
t.say(sock:close())
t.say(sock:send("go"))
t.say(ngx.thread.wait(first))
t.say(sock:close())
