-- SPDX-License-Identifier: BSD-2-Clause
-- A body in chunks.
--[=[ client
request("POST", "", "Transfer-Encoding: chunked")
send("5\r\nhello\r\n1\r\n \r\n4;ext=1\r\nbody\r\n0\r\n\r\n")
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.get_body_data(), ngx.req.get_headers()["transfer-encoding"])
