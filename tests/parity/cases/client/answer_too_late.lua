-- SPDX-License-Identifier: BSD-2-Clause
-- No answer within the timeout.
--[=[ upstream
accept()
wait("\r\n\r\n")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { timeout = 20 })
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(wb.fatal)
wb.sock:close()
