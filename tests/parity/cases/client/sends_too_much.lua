-- SPDX-License-Identifier: BSD-2-Clause
-- Too much is fatal.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { max_payload_len = 5 })
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_text("123456"))
t.say(wb.fatal)
t.say(wb:send_text("x"))
t.say(wb:recv_frame())
t.say(wb:close())
wb.sock:close()
