-- SPDX-License-Identifier: BSD-2-Clause
-- get_keys with its limit.
local t = require "parity"
local d = ngx.shared.other
for i = 1, 5 do
    d:set("key " .. i, i)
end
local function sorted(...)
    local keys = d:get_keys(...)
    table.sort(keys)
    return keys
end
t.say(sorted())
t.say(#d:get_keys(2))
t.say(#d:get_keys(0))
t.say(#d:get_keys(100))
for i = 6, 1200 do
    d:set("key " .. i, i)
end
t.say(#d:get_keys(), #d:get_keys(0))
