-- SPDX-License-Identifier: BSD-2-Clause
-- The name that is asked for and verified, by option.
--[=[ upstream
accept(tls={})
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("wss://127.0.0.1:" .. t.port() .. "/x", { ssl_verify = true, server_name = "app.parity" })))
t.say(wb:close())
