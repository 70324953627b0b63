-- SPDX-License-Identifier: BSD-2-Clause
-- No order is checked: a continuation of nothing.
--[=[ client
open()
frame(0, "of nothing")
frame(0, "still", fin=False)
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
