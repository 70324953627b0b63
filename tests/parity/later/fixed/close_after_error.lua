-- SPDX-License-Identifier: BSD-2-Clause
-- A script that fails: 1011.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("so far")
error("broken")
