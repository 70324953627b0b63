-- SPDX-License-Identifier: BSD-2-Clause
-- A number as reason.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:send_close(1000, 42))
