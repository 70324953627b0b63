-- SPDX-License-Identifier: BSD-2-Clause
-- What lists do not take, and what is no list.
local t = require "parity"
local d = ngx.shared.dict
d:set("no list", "x")
t.say(d:lpush("no list", 1))
t.say(d:rpush("no list", 1))
t.say(d:lpop("no list"))
t.say(d:rpop("no list"))
t.say(d:llen("no list"))
t.try(d.lpush, d, "list bad", true)
t.try(d.lpush, d, "list bad", nil)
t.try(d.lpush, d, "list bad", {})
t.say(d:lpush(nil, 1))
t.say(d:lpush("", 1))
t.say(d:llen(("k"):rep(65536)))
t.say(d:rpush("list set", 1))
t.say(d:set("list set", "now a text"))
t.say(d:get("list set"))
