-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout before a frame is no end.
--[=[ client
open()
wait_frames(2)
text("late")
wait_frames(3)
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { timeout = 20 })
t.tell(wb, wb:recv_frame())
t.tell(wb, wb.fatal)
wb:set_timeout(8000)
t.tell(wb, wb:recv_frame())
t.tell(wb, wb:recv_frame())
