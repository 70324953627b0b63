-- SPDX-License-Identifier: BSD-2-Clause
-- Of two versions the first counts.
--[=[ client
open(change={"Sec-WebSocket-Version": ["13", "8"]})
end()
client()
upgrade(change={"Sec-WebSocket-Version": ["8", "13"], "Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb, err = server:new()
if not wb then
    return t.say(wb, err)
end
