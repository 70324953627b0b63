-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit(444) after the handshake.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("x")
return ngx.exit(444)
