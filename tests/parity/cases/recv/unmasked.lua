-- SPDX-License-Identifier: BSD-2-Clause
-- A server takes no unmasked frames.
--[=[ client
open()
hex("81 05 68 65 6c 6c 6f")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
