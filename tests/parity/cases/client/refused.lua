-- SPDX-License-Identifier: BSD-2-Clause
-- Nobody listens.
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:1/x"))
t.say(wb.fatal, wb.closed)
t.say(wb:send_text("x"))
t.say(wb:recv_frame())
t.say(wb:close())
