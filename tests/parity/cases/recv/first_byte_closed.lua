-- SPDX-License-Identifier: BSD-2-Clause
-- The end after a frame's first byte.
--[=[ client
open()
hex("81")
fin()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
