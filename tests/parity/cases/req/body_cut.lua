-- SPDX-License-Identifier: BSD-2-Clause
-- The client leaves within the body.
--[=[ client
send(f"POST {path} HTTP/1.1\r\nHost: parity\r\nContent-Length: 10\r\n\r\nhel")
fin()
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.get_body_data())
