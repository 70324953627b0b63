-- SPDX-License-Identifier: BSD-2-Clause
-- What the script chose before is replaced by what was offered.
--[=[ client
open("Sec-WebSocket-Protocol: chat, superchat")
end()
client()
open()
]=]
local server = require "resty.websocket.server"
ngx.header["Sec-WebSocket-Protocol"] = "mine"
assert(server:new())
