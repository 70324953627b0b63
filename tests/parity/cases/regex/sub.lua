-- SPDX-License-Identifier: BSD-2-Clause
-- sub and gsub with text.
local t = require "parity"
t.say(ngx.re.sub("hello, 1234", "([0-9])[0-9]", "[$0][$1]"))
t.say(ngx.re.sub("hello, 1234", "[0-9]", "${0}00"))
t.say(ngx.re.sub("hello, 1234", "[0-9]", "$$"))
t.say(ngx.re.sub("hello", "x", "y"))
t.say(ngx.re.sub("hello", "l", ""))
t.say(ngx.re.sub("hello", "", "-"))
t.say(ngx.re.gsub("hello, world", "([a-z])[a-z]+", "[$0,$1]", "i"))
t.say(ngx.re.gsub("hello", "", "-"))
t.say(ngx.re.gsub("aaa", "a", "b", "jo"))
t.say(ngx.re.gsub("a1b2", "(?<letter>[a-z])", "<$1>"))
t.say(ngx.re.gsub("abc", "(x)?b", "[$1]"))
