-- SPDX-License-Identifier: BSD-2-Clause
-- A server that masks.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { send_masked = true })
t.tell(wb, wb:send_text("masked"))
t.tell(wb, wb:send_binary(("m"):rep(300)))
t.tell(wb, wb:send_ping())
t.tell(wb, wb:send_close(1000, "bye"))
