-- SPDX-License-Identifier: BSD-2-Clause
-- Pieces that end where the pattern begins, and patterns that were only begun.
--[=[ upstream
accept()
send("abcd--efgh-ijk--l-")
leave()
accept()
send("abcd-efgh-")
leave()
accept()
send("abcd--efgh-ij--")
leave()
accept()
send("ab-")
wait("go on")
send("-cd")
leave()
]=]
local t = require "parity"
local sock = t.connect()
local read = sock:receiveuntil("--")
for _ = 1, 12 do
    t.say(read(4))
end
sock:close()
sock = t.connect()
read = sock:receiveuntil("--")
t.say(read())
t.say(read())
sock:close()
sock = t.connect()
read = sock:receiveuntil("--", { inclusive = true })
for _ = 1, 7 do
    t.say(read(4))
end
sock:close()
sock = t.connect()
read = sock:receiveuntil("--")
t.say(sock:receive(1))
sock:settimeout(20)
t.say(read())
sock:settimeout(5000)
sock:send("go on")
t.say(read())
t.say(sock:receive("*a"))
sock:close()
