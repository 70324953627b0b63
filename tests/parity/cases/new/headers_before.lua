-- SPDX-License-Identifier: BSD-2-Clause
-- Headers that were set before go out, except Content-Type.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
ngx.header["X-Mine"] = "yes"
ngx.header["Set-Cookie"] = { "a=1", "b=2" }
ngx.header["Content-Type"] = "text/html"
assert(server:new())
