-- SPDX-License-Identifier: BSD-2-Clause
-- A table for the result.
local t = require "parity"
local given = { "old", "old", "old", x = "old" }
local m = ngx.re.match("ab", "(a)(b)", "", nil, given)
t.say(m == given, given)
t.say(ngx.re.match("zz", "(a)", "jo", nil, given), given)
