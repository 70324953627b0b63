-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout within the payload: what came is lost, the next call is out of step.
--[=[ client
open(early="81 85 00 00 00 00 68 65")
wait_frames(1)
send("llo")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { timeout = 20 })
t.tell(wb, wb:recv_frame())
t.tell(wb, wb.fatal)
wb:set_timeout(8000)
t.tell(wb, wb:recv_frame())
t.tell(wb, wb.fatal)
