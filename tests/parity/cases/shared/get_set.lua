-- SPDX-License-Identifier: BSD-2-Clause
-- get and set of all kinds of values.
local t = require "parity"
local d = ngx.shared.dict
for _, v in ipairs { "text", "", 42, 1.5, -3, true, false, ("x"):rep(1000) } do
    t.say(d:set("get_set", v))
    t.say(d:get("get_set"))
end
t.say(d:set("get_set", nil))
t.say(d:get("get_set"))
t.say(d:get("get_set missing"))
