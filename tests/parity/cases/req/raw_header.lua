-- SPDX-License-Identifier: BSD-2-Clause
-- raw_header, with and without the request line.
--[=[ client
send(f"GET {path}?a=b HTTP/1.1\r\nHost: parity\r\nX-MiXed: value\r\nConnection: close\r\n\r\n")
]=]
local t = require "parity"
t.say(ngx.req.raw_header())
t.say(ngx.req.raw_header(true))
t.say(ngx.req.raw_header(false))
