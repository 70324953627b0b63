-- SPDX-License-Identifier: BSD-2-Clause
-- send_close with and without code and reason.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_close())
t.tell(wb, wb:send_close(1000))
t.tell(wb, wb:send_close(1000, ""))
t.tell(wb, wb:send_close(1001, "going"))
t.tell(wb, wb:send_close(nil, "no code, no reason"))
t.tell(wb, wb:send_close(false, "no code, no reason"))
