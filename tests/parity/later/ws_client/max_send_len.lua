-- SPDX-License-Identifier: BSD-2-Clause
-- A client's limit for what it sends.
--[=[ upstream
accept()
answer_101()
text("1234567")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { max_send_len = 5 })
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:recv_frame())
t.say(wb:send_text("123456"))
t.say(wb.fatal)
wb.sock:close()
