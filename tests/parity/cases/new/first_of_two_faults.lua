-- SPDX-License-Identifier: BSD-2-Clause
-- Of two faults the one that is looked for first.
--[=[ client
bad = {"Upgrade": "x", "Connection": "close", "Sec-WebSocket-Version": "8"}
for drop in ([], ["Upgrade"], ["Sec-WebSocket-Key"], ["Upgrade", "Sec-WebSocket-Version"]):
    client()
    upgrade(drop=drop, change=bad)
    end()
for change, drop in (({"Connection": "close"}, ["Sec-WebSocket-Key"]),
                     ({"Connection": "Upgrade, close", "Sec-WebSocket-Version": "8"}, ["Sec-WebSocket-Key"]),
                     ({"Connection": "close", "Sec-WebSocket-Version": "8"}, [])):
    client()
    upgrade(drop=drop, change=change)
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
