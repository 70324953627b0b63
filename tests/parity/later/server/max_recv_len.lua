-- SPDX-License-Identifier: BSD-2-Clause
-- A limit for what is received only.
--[=[ client
open()
text("12345")
text("123456")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_recv_len = 5 })
t.tell(wb, wb:send_text("1234567"))
t.tell_frames(wb)
