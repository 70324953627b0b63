-- SPDX-License-Identifier: BSD-2-Clause
-- Codes that are no numbers.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, t.attempt(wb.send_close, wb, "1000"))
t.tell(wb, t.attempt(wb.send_close, wb, true))
t.tell(wb, t.attempt(wb.send_close, wb, {}))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_close(1000))
