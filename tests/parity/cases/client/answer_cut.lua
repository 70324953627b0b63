-- SPDX-License-Identifier: BSD-2-Clause
-- The end within the answer's head, and before it.
--[=[ upstream
accept()
wait("\r\n\r\n")
send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: web")
leave()
accept()
wait("\r\n\r\n")
fin()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
local second = assert(client:new())
t.say(second:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
t.say(second.fatal, second.closed)
