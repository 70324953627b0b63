-- SPDX-License-Identifier: BSD-2-Clause
-- A connection from the pool says so.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")))
t.say(wb:set_keepalive())
wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(wb:close())
