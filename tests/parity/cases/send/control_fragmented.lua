-- SPDX-License-Identifier: BSD-2-Clause
-- A ping without FIN is fatal.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_frame(false, 9, "x"))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_text("y"))
