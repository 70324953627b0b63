-- SPDX-License-Identifier: BSD-2-Clause
-- More than max_payload_len is fatal.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 10 })
t.tell(wb, wb:send_text(("x"):rep(10)))
t.tell(wb, wb:send_text(("x"):rep(11)))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_text("y"))
t.tell(wb, wb:recv_frame())
t.tell(wb, wb:send_close(1000))
