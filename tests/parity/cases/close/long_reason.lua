-- SPDX-License-Identifier: BSD-2-Clause
-- 123 bytes are a reason, 124 are fatal.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_close(1000, ("r"):rep(123)))
t.tell(wb, wb:send_close(1000, ("r"):rep(124)))
t.tell(wb, wb.fatal)
t.tell(wb, wb:send_close(1000))
