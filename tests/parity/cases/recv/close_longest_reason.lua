-- SPDX-License-Identifier: BSD-2-Clause
-- A reason of 123 bytes.
--[=[ client
open()
close_frame(1000, "r" * 123)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
