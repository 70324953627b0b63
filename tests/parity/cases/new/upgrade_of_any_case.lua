-- SPDX-License-Identifier: BSD-2-Clause
-- The case of names and values does not matter.
--[=[ client
send(f"GET {path} HTTP/1.1\r\nhost: parity\r\nUPGRADE: WebSocket\r\nconnection: UPGRADE\r\n"
     f"sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nSEC-websocket-version: 13\r\n\r\n")
wait("\r\n\r\n")
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("made")
