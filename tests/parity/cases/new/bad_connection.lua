-- SPDX-License-Identifier: BSD-2-Clause
-- Values of Connection without "upgrade".
--[=[ client
for value in ("close", "keep-alive, close", "up-grade, close"):
    client()
    upgrade(change={"Connection": value})
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
