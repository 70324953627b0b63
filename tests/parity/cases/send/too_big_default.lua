-- SPDX-License-Identifier: BSD-2-Clause
-- 65535 bytes may be sent, 65536 not.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_text(("x"):rep(65535)))
t.tell(wb, wb:send_text(("x"):rep(65536)))
t.tell(wb, wb.fatal)
