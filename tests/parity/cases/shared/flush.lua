-- SPDX-License-Identifier: BSD-2-Clause
-- flush_all and flush_expired.
local t = require "parity"
local d = ngx.shared.flush
d:set("a", 1)
d:set("b", 2, 100)
t.say(d:flush_all())
t.say(d:get("a"), d:get("b"))
t.say(#d:get_keys())
for i = 1, 5 do
    d:set(i, i, 0.005)
end
ngx.sleep(0.02)
t.say(d:flush_expired(2))
t.say(d:flush_expired())
t.say(d:flush_expired())
