-- SPDX-License-Identifier: BSD-2-Clause
-- sub and gsub with a function.
local t = require "parity"
t.say(ngx.re.sub("hello", "(h)(e)", function(m) return m[0] .. m[1] .. m[2] end))
t.say(ngx.re.gsub("hello world", "[a-z]+", function(m) return "[" .. m[0] .. "]" end, "i"))
t.say(ngx.re.gsub("abc", "[a-z]", function() return 5 end))
t.say(ngx.re.gsub("abc", "(?<x>b)", function(m) return m.x:upper() end))
t.try(ngx.re.gsub, "abc", "b", function() return nil end)
t.say((pcall(ngx.re.gsub, "abc", "b", function() return {} end)))
t.say(pcall(ngx.re.gsub, "abc", "b", function() error("inside", 0) end))
