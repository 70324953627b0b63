-- SPDX-License-Identifier: BSD-2-Clause
-- Bytes taken by receive, frames around them.
--[=[ client
open()
text("one")
send("raw!")
text("two")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:recv_frame())
t.tell(wb, wb.sock:receive(4))
t.tell(wb, wb:recv_frame())
