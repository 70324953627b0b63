-- SPDX-License-Identifier: BSD-2-Clause
-- Of two faults in a frame's first bytes, the one that is looked for first.
--[=[ client
for bad in ("f3 80", "fb 80", "c1 00", "d3 00", "83 00", "8b 05", "0b 80", "08 00", "08 fe 01 00", "89 fe 01 00",
            "09 fe 01 00", "88 ff 80 00 00 00 00 00 00 00", "08 ff 00 00 00 01 00 00 00 00", "09 ff 00 00 00 00 80 00 00 00",
            "81 7f", "81 ff 00 00 00 01 00 00 00 00", "91 ff 80 00 00 00 00 00 00 00", "08 81 00 00 00 00 00"):
    client()
    open()
    hex(bad)
    fin()
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 100 })
t.tell_frames(wb)
