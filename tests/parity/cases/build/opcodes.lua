-- SPDX-License-Identifier: BSD-2-Clause
-- FIN and opcode make the first byte; nothing is checked.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
for _, fin in ipairs { true, false } do
    for _, opcode in ipairs { 0, 1, 2, 3, 8, 9, 10, 15, 16, 31, 127 } do
        t.try(protocol.build_frame, fin, opcode, 1, "x", false)
    end
end
t.try(protocol.build_frame, nil, 1, 1, "x", nil)
t.try(protocol.build_frame, 1, 1, 1, "x", nil)
