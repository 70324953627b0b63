-- SPDX-License-Identifier: BSD-2-Clause
-- Up to a pattern, in pieces.
--[=[ upstream
accept()
send("hello, world! -agentzh\nblah blah blah-")
leave()
]=]
local t = require "parity"
local sock = t.connect()
local read = sock:receiveuntil("-")
t.say(read(4))
t.say(read(4))
t.say(read(100))
t.say(read(4))
t.say(read(100))
t.say(read(100))
t.say(read(100))
t.say(read())
sock:close()
