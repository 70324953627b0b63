-- SPDX-License-Identifier: BSD-2-Clause
-- An offered subprotocol is answered.
--[=[ client
open("Sec-WebSocket-Protocol: chat")
]=]
local server = require "resty.websocket.server"
assert(server:new())
