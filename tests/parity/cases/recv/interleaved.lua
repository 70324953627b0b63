-- SPDX-License-Identifier: BSD-2-Clause
-- No order is checked: a message within an unfinished one.
--[=[ client
open()
text("first", fin=False)
text("within")
binary("again", fin=False)
frame(0, "end")
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
