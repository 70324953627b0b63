-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 is refused.
--[=[ client
upgrade(version="1.0")
end()
client()
upgrade(version="1.0", drop=["Upgrade"])
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local text = t.show(server:new())
ngx.header.content_length = #text
ngx.print(text)
