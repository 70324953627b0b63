-- SPDX-License-Identifier: BSD-2-Clause
-- The bytes of a handshake's request.
--[=[ upstream
accept()
answer_101()
close_frame(1000)
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/path?a=b")))
t.say(wb:recv_frame())
t.say(wb:close())
