-- SPDX-License-Identifier: BSD-2-Clause
-- Captures by name.
local t = require "parity"
t.say(ngx.re.match("hello, 1234", "([a-z]+), (?<num>[0-9]+)"))
t.say(ngx.re.match("hello", "(?<a>x)?(?<b>l+)"))
t.say(ngx.re.match("ab", "(?<n>a)|(?<n>b)", "D"))
t.say(ngx.re.match("ab", "(?<first>a)(?P<second>b)"))
