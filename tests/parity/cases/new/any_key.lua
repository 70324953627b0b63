-- SPDX-License-Identifier: BSD-2-Clause
-- A key is not looked at: any text is one.
--[=[ client
for key in ("x", "not base64!", "dGhlIHNhbXBsZSBub25jZQ=", "A" * 100):
    client()
    open(change={"Sec-WebSocket-Key": key})
    end()
]=]
local server = require "resty.websocket.server"
assert(server:new())
