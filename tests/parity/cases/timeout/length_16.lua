-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout within a 16-bit length.
--[=[ client
open(early="81 fe 00")
wait_frames(1)
hex("81 81 00 00 00 00 61")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { timeout = 20 })
t.tell(wb, wb:recv_frame())
wb:set_timeout(8000)
t.tell(wb, wb:recv_frame())
