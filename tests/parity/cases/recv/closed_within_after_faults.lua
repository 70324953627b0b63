-- SPDX-License-Identifier: BSD-2-Clause
-- The end that comes with another fault.
--[=[ client
for bad in ("91", "09", "88 81", "08 fe", "09 fe 00", "89 ff 00 00", "81 fe 01", "82 fe 00 65 00"):
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
