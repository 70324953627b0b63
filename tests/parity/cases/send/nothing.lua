-- SPDX-License-Identifier: BSD-2-Clause
-- Frames without a payload.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_text())
t.tell(wb, wb:send_text(""))
t.tell(wb, wb:send_binary(nil))
t.tell(wb, wb:send_ping())
t.tell(wb, wb:send_pong(false))
t.tell(wb, wb:send_close())
