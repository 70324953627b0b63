-- SPDX-License-Identifier: BSD-2-Clause
-- Numbers and other values are sent as text.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text(42)
wb:send_text(1.5)
wb:send_text(true)
wb:send_binary(setmetatable({}, { __tostring = function() return "a table" end }))
wb:send_ping(7)
