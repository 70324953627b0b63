-- SPDX-License-Identifier: BSD-2-Clause
-- No Connection header.
--[=[ client
upgrade("Keep: x", drop=["Connection"])
wait("0\r\n\r\n")
fin()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
