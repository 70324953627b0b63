-- SPDX-License-Identifier: BSD-2-Clause
-- A server without TLS.
--[=[ upstream
accept()
wait_bytes(5)
send("HTTP/1.1 400 Bad Request\r\n\r\n")
leave()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("wss://127.0.0.1:" .. t.port() .. "/x"))
