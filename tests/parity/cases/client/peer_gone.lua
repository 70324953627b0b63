-- SPDX-License-Identifier: BSD-2-Clause
-- The server ends without a close frame.
--[=[ upstream
accept()
answer_101()
fin()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:recv_frame())
t.say(wb.fatal, wb.closed)
t.say(wb:close())
wb.sock:close()
