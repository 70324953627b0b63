-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout on the raw socket, then data.
--[=[ client
get()
wait("go on")
send("late\n")
]=]
local t = require "parity"
local sock = assert(ngx.req.socket(true))
sock:settimeout(10)
local line, err, partial = sock:receive()
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. t.show(line, err, partial) .. "\ngo on\n")
sock:settimeouts(1000, 1000, 5000)
sock:send(t.show(sock:receive()) .. "\n")
