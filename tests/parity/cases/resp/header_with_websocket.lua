-- SPDX-License-Identifier: BSD-2-Clause
-- Headers by their names with underscores, in a handshake.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
ngx.header.sec_websocket_protocol = "mine"
ngx.header.x_mine = 5
assert(server:new())
