-- SPDX-License-Identifier: BSD-2-Clause
-- A script that ends right after the handshake.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
assert(server:new())
