-- SPDX-License-Identifier: BSD-2-Clause
-- A hundred frames in one segment.
--[=[ client
open()
send(bytes.fromhex("81 82 00 00 00 00 68 69") * 100 + bytes.fromhex("88 80 00 00 00 00"))
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
local n = 0
repeat
    local data, typ, err = wb:recv_frame()
    n = n + (data == "hi" and typ == "text" and err == nil and 1 or 0)
until typ ~= "text"
t.tell(wb, n)
