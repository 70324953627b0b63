-- SPDX-License-Identifier: BSD-2-Clause
-- What add, replace, incr and delete make of what has expired.
local t = require "parity"
local d = ngx.shared.expired
for _, name in ipairs { "r", "i", "d", "l" } do
    d:set("gone " .. name, 5, 0.01)
end
ngx.sleep(0.03)
t.say(d:replace("gone r", 1))
t.say(d:incr("gone i", 1))
t.say(d:incr("gone i", 1, 100))
t.say(d:delete("gone d"))
t.say(d:llen("gone l"))
t.say(d:lpush("gone l", 1))
t.say(d:get_stale("gone l"))
