-- SPDX-License-Identifier: BSD-2-Clause
-- A name that is known, and one that is not.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://app.parity:" .. t.port() .. "/x")))
t.say(wb:close())
t.say(assert(client:new()):connect("ws://none.parity:" .. t.port() .. "/x"))
