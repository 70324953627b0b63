-- SPDX-License-Identifier: BSD-2-Clause
-- TLS without a look at the certificate.
--[=[ upstream
accept(tls={})
answer_101()
text("secret")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("wss://127.0.0.1:" .. t.port() .. "/x")))
t.say(wb:recv_frame())
t.say(wb:close())
