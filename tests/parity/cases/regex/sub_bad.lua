-- SPDX-License-Identifier: BSD-2-Clause
-- Replacements that are wrong.
local t = require "parity"
t.try(ngx.re.sub, "hello", "l", "$1")
t.try(ngx.re.sub, "hello", "(l)", "$5")
t.try(ngx.re.sub, "hello", "l", "$name")
t.try(ngx.re.sub, "hello", "l", "${0")
t.try(ngx.re.sub, "hello", "l", "$")
t.try(ngx.re.sub, "hello", "l", 5)
t.say((pcall(ngx.re.sub, "hello", "l", {})))
t.say((pcall(ngx.re.sub, "hello", "l")))
t.try(ngx.re.sub, "hello", "(", "x")
t.try(ngx.re.gsub, "hello", "[", "x")
