-- SPDX-License-Identifier: BSD-2-Clause
-- match and its captures.
local t = require "parity"
t.say(ngx.re.match("hello, 1234", "[0-9]+"))
t.say(ngx.re.match("hello, 1234", "([0-9])[0-9]+"))
t.say(ngx.re.match("hello, 1234", "foo"))
t.say(ngx.re.match("hello, world", "(world)|(hello)|(howdy)"))
t.say(ngx.re.match("hello", ""))
t.say(ngx.re.match("", "x*"))
t.say(ngx.re.match("a\0b", "\\0b"))
