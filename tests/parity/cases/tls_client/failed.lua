-- SPDX-License-Identifier: BSD-2-Clause
-- No TLS on the other side.
--[=[ upstream
accept()
wait_bytes(5)
send("no TLS here, only text\r\n")
leave()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false))
t.say(sock:send("x"))
t.say(sock:close())
