-- SPDX-License-Identifier: BSD-2-Clause
-- Each reserved bit.
--[=[ client
for first in range(0x90, 0x100, 0x10):
    client()
    open()
    hex(f"{first | 1:02x} 80 00 00 00 00")
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
