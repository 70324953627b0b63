-- SPDX-License-Identifier: BSD-2-Clause
-- Text is not checked for UTF-8, nor is the close reason.
--[=[ client
open()
text("\\xff\\xfe\\xc0")
close_frame(1000, "\\xed\\xa0\\x80")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
