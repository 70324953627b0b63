-- SPDX-License-Identifier: BSD-2-Clause
-- Up to a pattern.
--[=[ upstream
accept()
send("one--two----three--\r\nfour")
leave()
]=]
local t = require "parity"
local sock = t.connect()
local read = sock:receiveuntil("--")
t.say(type(read))
for _ = 1, 6 do
    t.say(read())
end
sock:close()
