-- SPDX-License-Identifier: BSD-2-Clause
-- The whole first value is sent back.
--[=[ client
open("Sec-WebSocket-Protocol: chat, superchat")
]=]
local server = require "resty.websocket.server"
assert(server:new())
