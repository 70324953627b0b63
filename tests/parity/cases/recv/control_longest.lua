-- SPDX-License-Identifier: BSD-2-Clause
-- Control frames of 125 bytes.
--[=[ client
open()
ping("p" * 125)
pong("q" * 125)
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
