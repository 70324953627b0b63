-- SPDX-License-Identifier: BSD-2-Clause
-- URIs with IPv6 addresses, and with a query but no path.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
t.say(assert(client:new()):connect("ws://[::1]:1/x"))
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "?a=b")))
t.say(wb:close())
