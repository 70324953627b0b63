-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.re.split.
local t = require "parity"
local split = require("ngx.re").split
t.say(split("a,b,c,d", ","))
t.say(split("a,b,,c,", ","))
t.say(split("abc", ""))
t.say(split("a1b2c", "([0-9])"))
t.say(split("a,b,c,d", ",", nil, nil, 2))
t.say(split("a,b,c", ",", "jo", { pos = 3 }))
t.say(split("", ","))
t.say(split("abc", "x"))
t.say(split("a,b", "("))
