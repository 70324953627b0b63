-- SPDX-License-Identifier: BSD-2-Clause
-- A line in many segments.
--[=[ upstream
accept()
for c in "a line in pieces\n":
    send(c)
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive())
sock:close()
