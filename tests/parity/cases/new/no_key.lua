-- SPDX-License-Identifier: BSD-2-Clause
-- No key.
--[=[ client
upgrade(drop=["Sec-WebSocket-Key"], change={"Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
