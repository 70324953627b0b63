-- SPDX-License-Identifier: BSD-2-Clause
-- pool_size and backlog are the socket's.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local opts = { pool = "ws_client/backlog", pool_size = 1, backlog = 0 }
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x", opts)))
local second = assert(client:new())
t.say(second:connect("ws://127.0.0.1:" .. t.port() .. "/x", opts))
t.say(wb:close())
