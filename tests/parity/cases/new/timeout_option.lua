-- SPDX-License-Identifier: BSD-2-Clause
-- The timeout option is the socket's.
--[=[ client
open()
wait_frames(1)
text("x")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { timeout = 10 })
t.tell(wb, wb:recv_frame())
wb:set_timeout(5000)
t.tell(wb, wb:recv_frame())
