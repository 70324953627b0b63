-- SPDX-License-Identifier: BSD-2-Clause
-- Opcodes 11 to 15, with FIN and without.
--[=[ client
for first in (0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x0b, 0x0f):
    client()
    open()
    hex(f"{first:02x} 80 00 00 00 00")
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
