-- SPDX-License-Identifier: BSD-2-Clause
-- A second send_close is fatal.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_close(1000))
t.say(wb:send_close(1000))
t.say(wb.fatal, wb.closed)
t.say(wb:recv_frame())
t.say(wb:close())
wb.sock:close()
