-- SPDX-License-Identifier: BSD-2-Clause
-- An answer that is none.
--[=[ upstream
accept()
wait("\r\n\r\n")
send("SSH-2.0-x\r\n\r\n")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
wb.sock:close()
