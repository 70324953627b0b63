-- SPDX-License-Identifier: BSD-2-Clause
-- incr with a time for what it makes.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:incr("incr ttl", 1, 0, 0.02))
t.say(d:ttl("incr ttl") > 0)
t.say(d:incr("incr ttl", 1, 0, 100))
t.say(d:ttl("incr ttl") < 1)
ngx.sleep(0.3)
t.say(d:get("incr ttl"))
t.try(d.incr, d, "incr ttl", 1, nil, 5)
t.try(d.incr, d, "incr ttl", 1, 0, -5)
