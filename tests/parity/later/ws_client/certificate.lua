-- SPDX-License-Identifier: BSD-2-Clause
-- client_cert and client_priv_key.
--[=[ upstream
accept(tls={"client": True})
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local ssl = require "ngx.ssl"
local cert = assert(ssl.parse_pem_cert(t.key_file("client.pem")))
local key = assert(ssl.parse_pem_priv_key(t.key_file("client.key")))
local wb = assert(client:new())
t.say((wb:connect("wss://127.0.0.1:" .. t.port() .. "/x", { client_cert = cert, client_priv_key = key })))
t.say(wb:close())
