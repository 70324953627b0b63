-- SPDX-License-Identifier: BSD-2-Clause
-- An answer that is no 101 is refused, with its head.
--[=[ upstream
accept()
wait("\r\n\r\n")
send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(wb.fatal, wb:get_resp_status_code())
t.say(wb:send_text("x"))
