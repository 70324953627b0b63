-- SPDX-License-Identifier: BSD-2-Clause
-- send_continue is always a last fragment.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
wb:send_frame(false, 1, "one")
wb:send_frame(false, 0, "two")
t.tell(wb, wb:send_continue("three"))
t.tell(wb, wb:send_continue())
