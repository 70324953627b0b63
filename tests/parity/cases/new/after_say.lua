-- SPDX-License-Identifier: BSD-2-Clause
-- After output it is too late.
--[=[ client
upgrade(change={"Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
ngx.say("first")
t.say(server:new())
