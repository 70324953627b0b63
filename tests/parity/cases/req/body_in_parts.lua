-- SPDX-License-Identifier: BSD-2-Clause
-- A body in several segments, the script waiting for it.
--[=[ client
a = client()
a.send(f"POST {path} HTTP/1.1\r\nHost: parity\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhel")
client()
get()
end()
a.send("lo ")
a.send("body")
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.get_body_data())
