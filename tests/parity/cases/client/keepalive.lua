-- SPDX-License-Identifier: BSD-2-Clause
-- A connection from the pool needs no handshake.
--[=[ upstream
accept()
answer_101()
wait_frames(2)
text("and back")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
local uri = "ws://127.0.0.1:" .. t.port() .. "/x"
t.say((wb:connect(uri)))
t.say(wb:send_text("first"))
t.say(wb:set_keepalive(5000, 10))
t.say(wb:send_text("x"))
local again = assert(client:new())
t.say((again:connect(uri)))
t.say(again.sock:getreusedtimes())
t.say(again:send_text("second"))
t.say(again:recv_frame())
t.say(again:close())
