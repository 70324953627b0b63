-- SPDX-License-Identifier: BSD-2-Clause
-- Fragments come one by one: "again" until the last.
--[=[ client
open()
text("one ", fin=False)
frame(0, "two ", fin=False)
frame(0, "three")
close_frame(1001)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
