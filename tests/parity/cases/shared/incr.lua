-- SPDX-License-Identifier: BSD-2-Clause
-- incr.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:incr("incr", 1))
t.say(d:incr("incr", 1, 10))
t.say(d:incr("incr", 2.5))
t.say(d:incr("incr", -20))
t.say(d:incr("incr", 0))
t.say(d:get("incr"))
t.say(d:set("incr text", "x"))
t.say(d:incr("incr text", 1))
t.say(d:incr("incr text", 1, 5))
t.say(d:set("incr digits", "5"))
t.say(d:incr("incr digits", 1))
t.say(d:rpush("incr list", 1))
t.say(d:incr("incr list", 1))
t.try(d.incr, d, "incr", nil)
t.try(d.incr, d, "incr new", 1, "x")
t.say(d:incr(nil, 1))
t.say(d:incr("", 1))
