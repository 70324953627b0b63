-- SPDX-License-Identifier: BSD-2-Clause
-- A client's limit for what it receives.
--[=[ upstream
accept()
answer_101()
text("12345")
text("123456")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { max_recv_len = 5, send_unmasked = true })
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_text("1234567"))
t.say(wb:recv_frame())
t.say(wb:recv_frame())
wb.sock:close()
