-- SPDX-License-Identifier: BSD-2-Clause
-- A script that calls in a loop.
local t = require "parity"
local n = 0
for i = 1, 100000 do
    n = n + #ngx.md5(i)
end
t.say(n)
