-- SPDX-License-Identifier: BSD-2-Clause
-- A message in fragments, by send_frame.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_frame(false, 1, "one"))
t.tell(wb, wb:send_frame(false, 0, "two"))
t.tell(wb, wb:send_frame(true, 0, "three"))
