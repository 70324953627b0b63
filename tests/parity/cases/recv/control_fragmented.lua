-- SPDX-License-Identifier: BSD-2-Clause
-- Control frames without FIN.
--[=[ client
for opcode in (8, 9, 10):
    client()
    open()
    frame(opcode, "", fin=False)
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
