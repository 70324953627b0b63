-- SPDX-License-Identifier: BSD-2-Clause
-- More patterns than the cache holds.
local t = require "parity"
local found = 0
for i = 1, 1500 do
    if ngx.re.find("x" .. i, "^x" .. i .. "$", "jo") then
        found = found + 1
    end
end
t.say(found)
