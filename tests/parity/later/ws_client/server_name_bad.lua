-- SPDX-License-Identifier: BSD-2-Clause
-- A server_name that is no string.
--[=[ upstream
pass
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("wss://127.0.0.1:" .. t.port() .. "/x", { server_name = 5 }))
