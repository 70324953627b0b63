-- SPDX-License-Identifier: BSD-2-Clause
-- The same modules as nginx.websocket.*.
--[=[ client
open()
text("x")
]=]
local t = require "parity"
local other = require "nginx.websocket.server"
local protocol = require "nginx.websocket.protocol"
local client = require "nginx.websocket.client"
local wb = assert(other:new())
t.tell(wb, wb:recv_frame())
t.tell(wb, type(protocol.recv_frame), type(client.new), #protocol.build_frame(true, 1, 1, "x"))
