-- SPDX-License-Identifier: BSD-2-Clause
-- Binary fragments, a control frame between them.
--[=[ client
open()
binary("one", fin=False)
ping("between")
frame(0, "", fin=False)
pong()
frame(0, "last")
close_frame(1001)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
