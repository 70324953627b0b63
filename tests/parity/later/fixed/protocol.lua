-- SPDX-License-Identifier: BSD-2-Clause
-- Of several subprotocols the first is answered; the script's choice stands.
--[=[ client
open("Sec-WebSocket-Protocol: chat, superchat")
end()
client()
open("Sec-WebSocket-Protocol: chat, superchat", target="?mine")
]=]
local server = require "resty.websocket.server"
if ngx.var.args == "mine" then
    ngx.header["Sec-WebSocket-Protocol"] = "superchat"
end
local wb = assert(server:new())
wb:send_close(1000)
