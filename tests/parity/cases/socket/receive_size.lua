-- SPDX-License-Identifier: BSD-2-Clause
-- So many bytes.
--[=[ upstream
accept()
send("abcdefghij")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive(3))
t.say(sock:receive(0))
t.say(sock:receive("4"))
t.say(sock:receive(1))
sock:settimeout(20)
t.say(sock:receive(10))
sock:close()
