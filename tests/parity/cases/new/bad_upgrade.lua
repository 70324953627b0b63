-- SPDX-License-Identifier: BSD-2-Clause
-- Values of Upgrade that are not "websocket".
--[=[ client
for value in ("h2c", "websocket2", "websocket, foo", "foo, websocket", ""):
    client()
    upgrade("X-Next: close", change={"Upgrade": value, "Connection": "Upgrade, close"})
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
