-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 is refused.
--[=[ client
upgrade(version="1.0")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
