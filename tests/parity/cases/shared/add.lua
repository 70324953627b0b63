-- SPDX-License-Identifier: BSD-2-Clause
-- add and replace.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:replace("add", 1))
t.say(d:add("add", 1))
t.say(d:add("add", 2))
t.say(d:get("add"))
t.say(d:replace("add", 3))
t.say(d:get("add"))
t.say(d:delete("add"))
t.say(d:delete("add"))
t.say(d:get("add"))
t.say(d:add("add", nil))
t.say(d:replace("add", nil))
