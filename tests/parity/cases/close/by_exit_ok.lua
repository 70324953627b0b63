-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit(ngx.OK) after the handshake.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("x")
ngx.exit(ngx.OK)
