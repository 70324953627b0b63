-- SPDX-License-Identifier: BSD-2-Clause
-- close() sends one close frame; the second time it sends none.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:close())
t.say(wb.closed, wb.fatal)
t.say(wb:close())
t.say(wb:send_text("x"))
t.say(wb:recv_frame())
