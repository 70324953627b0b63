-- SPDX-License-Identifier: BSD-2-Clause
-- Of two headers the first is sent back.
--[=[ client
open("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat")
]=]
local server = require "resty.websocket.server"
assert(server:new())
