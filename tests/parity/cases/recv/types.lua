-- SPDX-License-Identifier: BSD-2-Clause
-- Every opcode that is allowed, by its name.
--[=[ client
open()
text("t")
binary("b\\x00\\xff")
frame(0, "c")
ping("pi")
pong("po")
close_frame()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
