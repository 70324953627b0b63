-- SPDX-License-Identifier: BSD-2-Clause
-- A script that ends because its peer was wrong says so: 1002, or 1009.
--[=[ client
for wrong in "c1 80 00 00 00 00", "81 01 61", "83 80 00 00 00 00", "09 80 00 00 00 00", "89 fe 00 7e", "88 81 00 00 00 00 61":
    client()
    open()
    hex(wrong)
    end()
for large in "82 fe 01 00", "82 ff 00 00 00 01 00 00 00 00":
    client()
    open()
    hex(large)
    end()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new { max_payload_len = 255 })
repeat local data, _, err = wb:recv_frame() until not data
