-- SPDX-License-Identifier: BSD-2-Clause
-- Space before the status line is let through.
--[=[ upstream
accept()
wait("\r\n\r\n")
send(" \n HTTP/1.1   101 x\r\n\r\n")
text("frame")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")))
t.say(wb:recv_frame())
wb:close()
