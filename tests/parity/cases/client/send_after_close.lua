-- SPDX-License-Identifier: BSD-2-Clause
-- After send_close nothing is sent, but received.
--[=[ upstream
accept()
answer_101()
wait_frames(1)
text("still here")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
wb:send_close(1000)
t.say(wb:recv_frame())
t.say(wb:send_text("x"))
t.say(wb.fatal)
wb.sock:close()
