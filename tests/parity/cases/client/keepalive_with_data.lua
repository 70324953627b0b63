-- SPDX-License-Identifier: BSD-2-Clause
-- No connection with data goes to the pool.
--[=[ upstream
accept()
answer_101()
hex("81 03 6f 6e 65 81 03 74 77 6f")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:recv_frame())
t.say(wb:set_keepalive())
wb:close()
