-- SPDX-License-Identifier: BSD-2-Clause
-- A certificate for another name.
--[=[ upstream
accept(tls={})
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("wss://127.0.0.1:" .. t.port() .. "/x", { ssl_verify = true }))
