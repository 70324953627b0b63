-- SPDX-License-Identifier: BSD-2-Clause
-- Two writers on a socket.
--[=[ upstream
first = accept()
accept()
first.wait_bytes(33554432)
]=]
local t = require "parity"
local sock = t.connect()
local first = ngx.thread.spawn(function() return sock:send(("x"):rep(33554432)) end)
t.say(sock:send("y"))
t.say(sock:close())
t.say(sock:setkeepalive())
-- From now on it is read.
local second = t.connect()
t.say(ngx.thread.wait(first))
t.say(sock:close())
second:close()
