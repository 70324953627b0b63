-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase after a WebSocket.
--[=[ client
open()
close_frame(1000)
end()
leave()
notes()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:recv_frame()
