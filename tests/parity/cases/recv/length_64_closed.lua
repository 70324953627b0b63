-- SPDX-License-Identifier: BSD-2-Clause
-- The end within a 64-bit length.
--[=[ client
for n in (0, 1, 4, 7):
    client()
    open()
    hex("81 ff " + "00" * n)
    fin()
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
