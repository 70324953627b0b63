-- SPDX-License-Identifier: BSD-2-Clause
-- In strict compatibility an answer that is no 101 is taken, with its head.
--[=[ upstream
accept()
wait("\r\n\r\n")
send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(wb.fatal)
wb.sock:close()
