-- SPDX-License-Identifier: BSD-2-Clause
-- Codes over 32767 are no codes.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_close(32768))
t.tell(wb, wb:send_close(65535, "x"))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_close(1000))
