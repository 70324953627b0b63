-- SPDX-License-Identifier: BSD-2-Clause
-- An answer of HTTP/1.0.
--[=[ upstream
accept()
wait("\r\n\r\n")
send("HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(wb.fatal)
wb.sock:close()
