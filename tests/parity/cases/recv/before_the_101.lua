-- SPDX-License-Identifier: BSD-2-Clause
-- A frame in the segment of the handshake.
--[=[ client
upgrade()
text("early")
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
