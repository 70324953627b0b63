-- SPDX-License-Identifier: BSD-2-Clause
-- Payloads at the edges of the forms of lengths.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 100000 })
for _, n in ipairs { 0, 1, 125, 126, 127, 65535, 65536, 100000 } do
    t.tell(wb, n, wb:send_binary(("x"):rep(n)))
end
