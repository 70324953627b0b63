-- SPDX-License-Identifier: BSD-2-Clause
-- Opcodes 3 to 7, with FIN and without.
--[=[ client
for first in (0x83, 0x84, 0x85, 0x86, 0x87, 0x03, 0x07):
    client()
    open()
    hex(f"{first:02x} 80 00 00 00 00")
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
