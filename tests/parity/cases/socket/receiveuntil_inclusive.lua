-- SPDX-License-Identifier: BSD-2-Clause
-- Up to a pattern, with it.
--[=[ upstream
accept()
send("one--two----three")
leave()
]=]
local t = require "parity"
local sock = t.connect()
local read = sock:receiveuntil("--", { inclusive = true })
for _ = 1, 5 do
    t.say(read())
end
sock:close()
