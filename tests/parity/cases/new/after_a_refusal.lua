-- SPDX-License-Identifier: BSD-2-Clause
-- A refused handshake, then a good one on the connection.
--[=[ client
upgrade(drop=["Sec-WebSocket-Key"])
wait("0\r\n\r\n")
open()
]=]
local server = require "resty.websocket.server"
local wb, err = server:new()
if not wb then
    return ngx.say(err)
end
wb:send_text("made")
