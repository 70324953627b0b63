-- SPDX-License-Identifier: BSD-2-Clause
-- access before a handshake.
--[=[ client
open("X-Token: good")
end()
client()
upgrade("X-Token: bad", change={"Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text(ngx.ctx.user)
