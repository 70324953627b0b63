-- SPDX-License-Identifier: BSD-2-Clause
-- Each of the bits above 2^31 - 1.
--[=[ client
for length in (1 << 31, 1 << 32, 1 << 40, 1 << 48, 1 << 56, 1 << 63, (1 << 64) - 1):
    client()
    open()
    hex("81 ff " + length.to_bytes(8, "big").hex())
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
