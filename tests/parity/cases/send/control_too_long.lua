-- SPDX-License-Identifier: BSD-2-Clause
-- A ping of more than 125 bytes is fatal.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_ping(("x"):rep(125)))
t.tell(wb, wb:send_ping(("x"):rep(126)))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_pong("y"))
