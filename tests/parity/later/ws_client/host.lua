-- SPDX-License-Identifier: BSD-2-Clause
-- The host option is the Host header.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x", { host = "other.example" })))
t.say(wb:close())
