-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout is no end.
--[=[ upstream
accept()
answer_101()
wait_frames(1)
text("late")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(select("#", wb:set_timeout(20)))
t.say(wb:recv_frame())
wb:set_timeout(5000)
t.say(wb.fatal, (wb:send_text("go on")))
t.say(wb:recv_frame())
wb:close()
