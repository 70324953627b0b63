-- SPDX-License-Identifier: BSD-2-Clause
-- What a key may be.
local t = require "parity"
local d = ngx.shared.dict
t.say(d:set(nil, 1))
t.say(d:get(nil))
t.say(d:set("", 1))
t.say(d:get(""))
t.say(d:set(("k"):rep(65536), 1))
t.say(d:get(("k"):rep(65536)))
t.say(d:set(("k"):rep(65535), 1))
t.say(d:get(("k"):rep(65535)))
t.say(d:delete(("k"):rep(65535)))
t.say(d:set(5, "number"))
t.say(d:get("5"))
t.say(d:set(true, "boolean"))
t.say(d:get("true"))
t.say(d:set("a\0b", "nul"))
t.say(d:get("a\0b"), d:get("a"))
