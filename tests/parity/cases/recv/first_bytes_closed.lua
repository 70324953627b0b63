-- SPDX-License-Identifier: BSD-2-Clause
-- The end before a frame.
--[=[ client
open()
fin()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
t.tell(wb, wb:recv_frame())
