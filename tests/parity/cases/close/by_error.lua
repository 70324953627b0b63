-- SPDX-License-Identifier: BSD-2-Clause
-- An error after the handshake.
--[=[ client
open()
logged("by_error.lua:9: broken")
]=]
local server = require "resty.websocket.server"
assert(server:new())
error("broken")
