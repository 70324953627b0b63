-- SPDX-License-Identifier: BSD-2-Clause
-- A limit for what is sent only.
--[=[ client
open()
text("1234567")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_send_len = 5 })
t.tell(wb, wb:recv_frame())
t.tell(wb, wb:send_text("12345"))
t.tell(wb, wb:send_text("123456"))
t.tell(wb, wb.fatal)
