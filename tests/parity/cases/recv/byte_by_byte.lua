-- SPDX-License-Identifier: BSD-2-Clause
-- A frame in segments of one byte each.
--[=[ client
open()
for byte in bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58 88 80 00 00 00 00"):
    send(bytes([byte]))
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
