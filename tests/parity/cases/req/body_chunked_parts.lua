-- SPDX-License-Identifier: BSD-2-Clause
-- Chunks of one byte, and a trailer.
--[=[ client
request("POST", "", "Transfer-Encoding: chunked")
for c in "1\r\na\r\n1\r\nb\r\n01\r\nc\r\n0\r\n\r\n":
    send(c)
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.get_body_data())
