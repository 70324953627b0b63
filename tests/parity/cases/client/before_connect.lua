-- SPDX-License-Identifier: BSD-2-Clause
-- A client that is not connected.
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:send_text("x"))
t.say(wb.fatal)
t.say(wb:recv_frame())
wb = assert(client:new())
t.say(wb:recv_frame())
wb = assert(client:new())
t.say(wb:close())
wb = assert(client:new())
t.say(wb:set_keepalive())
