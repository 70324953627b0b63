-- SPDX-License-Identifier: BSD-2-Clause
-- Nor a closed one.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
wb:close()
t.say(wb:set_keepalive())
