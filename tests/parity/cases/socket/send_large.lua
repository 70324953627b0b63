-- SPDX-License-Identifier: BSD-2-Clause
-- A large amount to a peer that reads late.
--[=[ upstream
accept()
wait_bytes(4194304)
send("got it\n")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:send(("0123456789abcdef"):rep(262144)))
t.say(sock:receive())
sock:close()
