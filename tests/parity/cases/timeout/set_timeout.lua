-- SPDX-License-Identifier: BSD-2-Clause
-- It returns nothing.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, select("#", wb:set_timeout(100)), wb:set_timeout(100))
t.tell(wb, wb:set_timeout(8000))
