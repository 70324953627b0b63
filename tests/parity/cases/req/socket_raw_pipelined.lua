-- SPDX-License-Identifier: BSD-2-Clause
-- The raw socket reads what came behind the head.
--[=[ client
send(f"GET {path} HTTP/1.1\r\nHost: parity\r\n\r\nraw line\r\n12345")
]=]
local t = require "parity"
local sock = assert(ngx.req.socket(true))
local line = sock:receive()
local rest = sock:receive(5)
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. t.show(line, rest) .. "\n")
