-- SPDX-License-Identifier: BSD-2-Clause
-- Where to begin.
local t = require "parity"
local ctx = { pos = 3 }
t.say(ngx.re.match("1234, 5678", "[0-9]+", "", ctx), ctx)
t.say(ngx.re.match("1234, 5678", "[0-9]+", "", ctx), ctx)
t.say(ngx.re.match("1234, 5678", "[0-9]+", "", ctx), ctx)
ctx = { pos = 100 }
t.say(ngx.re.match("1234", "[0-9]+", "", ctx), ctx)
ctx = {}
t.say(ngx.re.match("1234", "[0-9]", "", ctx), ctx)
ctx = { pos = 1 }
t.say(ngx.re.match("a1b2", "[0-9]", "jo", ctx), ctx)
t.say(ngx.re.match("a1b2", "[0-9]", "jo", ctx), ctx)
