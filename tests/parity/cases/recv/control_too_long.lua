-- SPDX-License-Identifier: BSD-2-Clause
-- Control frames of more than 125 bytes, by both long forms.
--[=[ client
for opcode in (8, 9, 10):
    for form in (16, 64):
        client()
        open()
        frame(opcode, "x" * 126, form=form)
        wait_frames(1)
        end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
