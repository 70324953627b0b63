-- SPDX-License-Identifier: BSD-2-Clause
-- Versions that are not 13.
--[=[ client
for value in ("8", "7", "0", "13, 8", "013", "13.0", ""):
    client()
    upgrade(change={"Sec-WebSocket-Version": value, "Connection": "Upgrade, close"})
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
