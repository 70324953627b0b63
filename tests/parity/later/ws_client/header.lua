-- SPDX-License-Identifier: BSD-2-Clause
-- connect gives the answer's head as its third value.
--[=[ upstream
accept()
answer_101("X-One: 1")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(wb:close())
