-- SPDX-License-Identifier: BSD-2-Clause
-- A close frame's body of one byte.
--[=[ client
open()
frame(8, "x")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
t.tell(wb, wb:recv_frame())
