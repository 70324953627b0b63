-- SPDX-License-Identifier: BSD-2-Clause
-- A reason of more than 123 bytes marks the object as closed and fatal.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_close(1000, ("r"):rep(124)))
t.say(wb.closed, wb.fatal)
wb.sock:close()
