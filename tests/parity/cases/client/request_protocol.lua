-- SPDX-License-Identifier: BSD-2-Clause
-- protocols as a string.
--[=[ upstream
accept()
answer_101("Sec-WebSocket-Protocol: a")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x", { protocols = "a,b" })))
t.say(wb:close())
