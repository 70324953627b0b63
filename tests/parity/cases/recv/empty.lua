-- SPDX-License-Identifier: BSD-2-Clause
-- Empty payloads of all types.
--[=[ client
open()
for opcode in (1, 2, 0, 9, 10, 8):
    frame(opcode)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
