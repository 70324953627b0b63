-- SPDX-License-Identifier: BSD-2-Clause
-- protocol.recv_frame with the server's socket; its own limit.
--[=[ client
open()
text("1234")
text("12345")
]=]
local server = require "resty.websocket.server"
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, protocol.recv_frame(wb.sock, 4, true))
t.tell(wb, protocol.recv_frame(wb.sock, 4, true))
t.tell(wb, wb.fatal)
