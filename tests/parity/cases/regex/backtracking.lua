-- SPDX-License-Identifier: BSD-2-Clause
-- A pattern that backtracks without an end.
local t = require "parity"
local m, err = ngx.re.match(("a"):rep(40) .. "b", "^(a+)+$")
t.say(m, err)
