-- SPDX-License-Identifier: BSD-2-Clause
-- Extensions are not negotiated.
--[=[ client
open("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
]=]
local server = require "resty.websocket.server"
assert(server:new())
