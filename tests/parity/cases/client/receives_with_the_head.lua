-- SPDX-License-Identifier: BSD-2-Clause
-- Frames in the segment of the answer.
--[=[ upstream
accept()
wait("\r\n\r\n")
send(b"HTTP/1.1 101 x\r\n\r\n" + bytes.fromhex("81 02 68 69 88 00"))
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:recv_frame())
t.say(wb:recv_frame())
wb:close()
