-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit with a status after the handshake only ends.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("x")
ngx.exit(500)
