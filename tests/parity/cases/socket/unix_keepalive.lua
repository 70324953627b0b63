-- SPDX-License-Identifier: BSD-2-Clause
-- The pool of a unix socket.
--[=[ upstream
accept_unix()
wait("two")
]=]
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:connect("unix:" .. t.path()))
sock:send("one ")
t.say(sock:setkeepalive())
t.say(sock:connect("unix:" .. t.path()))
t.say(sock:getreusedtimes())
sock:send("two")
t.say(sock:close())
