-- SPDX-License-Identifier: BSD-2-Clause
-- Options that change nothing.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { send_unmasked = true })
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x", { headers = {}, protocols = false, unknown = 1 })))
t.say(wb:close())
