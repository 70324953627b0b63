-- SPDX-License-Identifier: BSD-2-Clause
-- A WebSocket by TLS.
--[=[ client
client(tls={"name": "app.parity"})
open()
text("hello")
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
