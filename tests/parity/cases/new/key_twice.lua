-- SPDX-License-Identifier: BSD-2-Clause
-- Of two keys the first counts.
--[=[ client
open(change={"Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ==", "x"]})
]=]
local server = require "resty.websocket.server"
assert(server:new())
