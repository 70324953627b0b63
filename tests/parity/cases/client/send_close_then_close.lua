-- SPDX-License-Identifier: BSD-2-Clause
-- close() after send_close() sends nothing more.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_close(1001, "going"))
t.say(wb.closed, wb.fatal)
t.say(wb:close())
