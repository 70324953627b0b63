-- SPDX-License-Identifier: BSD-2-Clause
-- ttl and expire.
local t = require "parity"
local d = ngx.shared.ttl
t.say(d:ttl("none"))
t.say(d:expire("none", 5))
d:set("forever", 1)
t.say(d:ttl("forever"))
t.say(d:expire("forever", 10))
local left = d:ttl("forever")
t.say(left > 9 and left <= 10)
t.say(d:expire("forever", 0))
t.say(d:ttl("forever"))
t.say(d:expire("forever", 0.005))
ngx.sleep(0.02)
t.say(d:get("forever"))
t.try(d.expire, d, "none", -1)
t.try(d.expire, d, "none")
t.try(d.ttl, d, nil)
