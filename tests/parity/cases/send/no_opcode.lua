-- SPDX-License-Identifier: BSD-2-Clause
-- send_frame without an opcode raises.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, (pcall(wb.send_frame, wb, true, nil, "x")))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_text("goes on"))
