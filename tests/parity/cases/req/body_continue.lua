-- SPDX-License-Identifier: BSD-2-Clause
-- Expect: 100-continue.
--[=[ client
send(f"POST {path} HTTP/1.1\r\nHost: parity\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
wait("100 Continue\r\n\r\n")
send("hello")
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.get_body_data())
