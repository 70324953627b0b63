-- SPDX-License-Identifier: BSD-2-Clause
-- The limit is for control frames too.
--[=[ client
for opcode in (8, 9, 10):
    client()
    open()
    frame(opcode, "abcd")
    wait_frames(1)
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 3 })
t.tell_frames(wb)
