-- SPDX-License-Identifier: BSD-2-Clause
-- Sends to a peer that has gone.
--[=[ upstream
accept()
wait("go")
reset()
]=]
local t = require "parity"
local sock = t.connect()
sock:send("go")
t.say(sock:receive())
t.say(sock:send("x"))
t.say(sock:close())
