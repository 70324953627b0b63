-- SPDX-License-Identifier: BSD-2-Clause
-- A second handshake on a connection.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, server:new())
wb:send_text("the first goes on")
