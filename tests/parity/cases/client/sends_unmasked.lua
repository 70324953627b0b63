-- SPDX-License-Identifier: BSD-2-Clause
-- Unless it is told otherwise.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { send_unmasked = true })
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_text("text"))
t.say(wb:send_ping())
t.say(wb:close())
