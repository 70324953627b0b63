-- SPDX-License-Identifier: BSD-2-Clause
-- Each kind of frame, and the count of its bytes.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_text("x"))
t.tell(wb, wb:send_binary("\0\255"))
t.tell(wb, wb:send_ping("pi"))
t.tell(wb, wb:send_pong("po"))
t.tell(wb, wb:send_frame(true, 1, "f"))
t.tell(wb, wb:send_close(1000, "c"))
