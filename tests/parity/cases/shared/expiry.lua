-- SPDX-License-Identifier: BSD-2-Clause
-- Values that expire.
local t = require "parity"
local d = ngx.shared.stale
t.say(d:set("short", "x", 0.01))
t.say(d:set("long", "y", 100))
t.say(d:get("short"), d:get("long"))
ngx.sleep(0.03)
t.say(d:get_stale("short"))
t.say(d:get_stale("long"))
t.say(d:get("short"))
t.say(d:get_stale("missing"))
t.say(d:get("long"))
t.say(d:add("short", "again"))
t.say(d:get("short"))
t.say(d:delete("short"), d:delete("long"))
