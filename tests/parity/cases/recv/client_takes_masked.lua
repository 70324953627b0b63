-- SPDX-License-Identifier: BSD-2-Clause
-- protocol.recv_frame without force_masking takes both kinds.
--[=[ client
open()
text("masked")
text("unmasked", mask=None)
frame(8, "\\x03\\xe8plain", mask=None)
]=]
local server = require "resty.websocket.server"
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local wb = assert(server:new())
for _ = 1, 3 do
    t.tell(wb, protocol.recv_frame(wb.sock, 100, false))
end
