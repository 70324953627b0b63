-- SPDX-License-Identifier: BSD-2-Clause
-- A client's frames are masked.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_text("text"))
t.say(wb:send_binary("\0\255"))
t.say(wb:send_ping("pi"))
t.say(wb:send_pong())
t.say(wb:send_text(("x"):rep(126)))
t.say(wb:send_binary(("y"):rep(65535)))
t.say(wb:send_frame(false, 1, "part"))
t.say(wb:send_frame(true, 0, 42))
t.say(wb:send_close(1000, "bye"))
wb.sock:close()
