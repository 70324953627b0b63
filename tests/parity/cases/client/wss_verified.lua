-- SPDX-License-Identifier: BSD-2-Clause
-- TLS with a certificate that is good, by name.
--[=[ upstream
accept(tls={})
answer_101()
text("secret")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("wss://app.parity:" .. t.port() .. "/x", { ssl_verify = true })))
t.say(wb:recv_frame())
t.say(wb:close())
