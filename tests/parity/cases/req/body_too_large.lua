-- SPDX-License-Identifier: BSD-2-Clause
-- More than client_max_body_size by its length.
--[=[ client
send(f"POST {path} HTTP/1.1\r\nHost: parity\r\nConnection: close\r\nContent-Length: 1048577\r\n\r\n")
fin()
]=]
local t = require "parity"
ngx.req.read_body()
t.say("never")
