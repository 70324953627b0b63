-- SPDX-License-Identifier: BSD-2-Clause
-- sslhandshake without verification.
--[=[ upstream
accept(tls={})
wait("hello\n")
send("secret\n")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false, "app.parity", false))
t.say(sock:send("hello\n"))
t.say(sock:receive())
t.say(sock:close())
