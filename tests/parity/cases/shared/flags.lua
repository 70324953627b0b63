-- SPDX-License-Identifier: BSD-2-Clause
-- User flags.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:set("flags", "x", 0, 7))
t.say(d:get("flags"))
t.say(d:get_stale("flags"))
t.say(d:set("flags", "y", 0, 0))
t.say(d:get("flags"))
t.say(d:replace("flags", 5, 0, 9))
t.say(d:get("flags"))
