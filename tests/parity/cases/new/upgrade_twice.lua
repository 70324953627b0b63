-- SPDX-License-Identifier: BSD-2-Clause
-- Of two Upgrade headers the first counts.
--[=[ client
open(change={"Upgrade": ["websocket", "h2c"]})
end()
client()
upgrade(change={"Upgrade": ["h2c", "websocket"], "Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb, err = server:new()
if not wb then
    return t.say(wb, err)
end
