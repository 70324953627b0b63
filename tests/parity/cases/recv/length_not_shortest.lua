-- SPDX-License-Identifier: BSD-2-Clause
-- Longer forms of lengths than needed are taken.
--[=[ client
open()
text("hello", form=16)
text("hello", form=64)
text("x" * 200, form=64)
ping("p", form=16)
text("", form=64)
close_frame(1000, form=64)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
