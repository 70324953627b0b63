-- SPDX-License-Identifier: BSD-2-Clause
-- A client that only sends no more still gets frames.
--[=[ client
open()
text("last")
fin()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:recv_frame())
t.tell(wb, wb:recv_frame())
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_text("x"))
