-- SPDX-License-Identifier: BSD-2-Clause
-- The method does not matter.
--[=[ client
send(f"POST {path} HTTP/1.1\r\nHost: parity\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 4\r\n\r\nbody")
wait("\r\n\r\n")
text("frame")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, ngx.req.get_method(), ngx.req.get_body_data())
t.tell(wb, wb:recv_frame())
