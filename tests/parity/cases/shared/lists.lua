-- SPDX-License-Identifier: BSD-2-Clause
-- Lists.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:llen("list"))
t.say(d:lpop("list"))
t.say(d:rpop("list"))
t.say(d:rpush("list", "b"))
t.say(d:rpush("list", 3))
t.say(d:lpush("list", "a"))
t.say(d:llen("list"))
t.say(d:get("list"))
t.say(d:lpop("list"))
t.say(d:rpop("list"))
t.say(d:lpop("list"))
t.say(d:lpop("list"))
t.say(d:llen("list"))
