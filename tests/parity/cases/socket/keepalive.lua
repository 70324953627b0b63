-- SPDX-License-Identifier: BSD-2-Clause
-- A connection goes to the pool, and comes from it.
--[=[ upstream
accept()
wait("twice")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:send("once "))
t.say(sock:setkeepalive(5000, 10))
t.say(sock:send("x"))
t.say(sock:receive())
t.say(sock:close())
t.say(sock:setkeepalive())
local again = t.connect()
t.say(again:getreusedtimes())
t.say(again:setkeepalive())
again = t.connect()
t.say(again:getreusedtimes())
t.say(again:send("twice"))
t.say(again:close())
