-- SPDX-License-Identifier: BSD-2-Clause
-- A text frame, and the close frame's code and reason.
--[=[ client
open()
text("hello")
close_frame(1000, "bye")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
