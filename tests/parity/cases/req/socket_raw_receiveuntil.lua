-- SPDX-License-Identifier: BSD-2-Clause
-- receiveuntil and receiveany on the raw socket.
--[=[ client
send(f"GET {path} HTTP/1.1\r\nHost: parity\r\n\r\none--two--rest")
]=]
local t = require "parity"
local sock = assert(ngx.req.socket(true))
local reader = sock:receiveuntil("--")
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
sock:send(t.show(reader()) .. "\n")
sock:send(t.show(reader()) .. "\n")
sock:send(t.show(sock:receiveany(100)) .. "\n")
