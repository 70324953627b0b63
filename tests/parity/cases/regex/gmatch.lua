-- SPDX-License-Identifier: BSD-2-Clause
-- gmatch.
local t = require "parity"
for m in ngx.re.gmatch("hello, world", "([a-z]+)") do
    t.say(m)
end
for m in ngx.re.gmatch("abc", "") do
    t.say(m)
end
for m in ngx.re.gmatch("a,b,,c", "(?<item>[^,]*)", "jo") do
    t.say(m)
end
local it = ngx.re.gmatch("xyz", "1")
t.say(it())
t.say(it())
t.say(ngx.re.gmatch("x", "("))
