-- SPDX-License-Identifier: BSD-2-Clause
-- safe_set and safe_add.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:safe_set("safe", 1))
t.say(d:get("safe"))
t.say(d:safe_add("safe", 2))
t.say(d:safe_add("safe other", 2))
t.say(d:safe_set("safe other", nil))
t.say(d:get("safe other"))
