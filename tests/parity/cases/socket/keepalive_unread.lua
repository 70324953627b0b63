-- SPDX-License-Identifier: BSD-2-Clause
-- Nothing goes to the pool with data that was not read.
--[=[ upstream
accept()
send("one\ntwo\n")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive())
t.say(sock:setkeepalive())
t.say(sock:receive())
t.say(sock:close())
