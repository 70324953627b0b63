-- SPDX-License-Identifier: BSD-2-Clause
-- Any 16 bits are a close code.
--[=[ client
for code in (0, 1, 999, 1000, 1005, 1006, 1015, 2999, 4999, 32768, 65535):
    client()
    open()
    close_frame(code, "x")
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
