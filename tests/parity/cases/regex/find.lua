-- SPDX-License-Identifier: BSD-2-Clause
-- find.
local t = require "parity"
t.say(ngx.re.find("hello, 1234", "([0-9]+)"))
t.say(ngx.re.find("hello, 1234", "(h)(e)", "jo", nil, 2))
t.say(ngx.re.find("hello, 1234", "(h)(e)", "jo", nil, 1))
t.say(ngx.re.find("hello, 1234", "(h)|(e)", "jo", nil, 2))
t.say(ngx.re.find("hello, 1234", "(h)", "jo", nil, 5))
t.say(ngx.re.find("hello", "x"))
t.say(ngx.re.find("hello", ""))
t.say(ngx.re.find("hello", "$"))
local ctx = { pos = 2 }
t.say(ngx.re.find("aaa", "a", "jo", ctx), ctx)
t.try(ngx.re.find, "hello", "(")
