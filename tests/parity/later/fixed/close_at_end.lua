-- SPDX-License-Identifier: BSD-2-Clause
-- A script that ends without a close frame: 1000.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("that was it")
