-- SPDX-License-Identifier: BSD-2-Clause
-- A TLS connection from the pool is ready at once.
--[=[ upstream
accept(tls={})
wait("two")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false))
sock:send("one ")
t.say(sock:setkeepalive())
sock = t.connect()
t.say(sock:getreusedtimes())
t.say(sock:sslhandshake(false))
t.say(sock:send("two"))
sock:close()
