-- SPDX-License-Identifier: BSD-2-Clause
-- A handshake on a connection that had a plain request.
--[=[ client
request("GET", "?plain", close=False)
wait("0\r\n\r\n")
open()
text("x")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
if ngx.var.args == "plain" then
    return ngx.say("plain")
end
local wb = assert(server:new())
t.tell(wb, wb:recv_frame())
