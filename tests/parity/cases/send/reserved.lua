-- SPDX-License-Identifier: BSD-2-Clause
-- Reserved opcodes are sent as asked for.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
for _, opcode in ipairs { 3, 7, 11, 15, 16, 0x41 } do
    t.tell(wb, opcode, wb:send_frame(true, opcode, "x"))
end
