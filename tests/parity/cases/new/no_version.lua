-- SPDX-License-Identifier: BSD-2-Clause
-- No version.
--[=[ client
upgrade(drop=["Sec-WebSocket-Version"], change={"Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
