-- SPDX-License-Identifier: BSD-2-Clause
-- Codes that are none.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_close("1000"))
t.say(wb:send_close(32768))
t.say(wb:send_close({}))
t.say(wb.closed, wb.fatal)
t.say(wb:send_text("goes on"))
t.say(wb:send_close(32767))
wb.sock:close()
