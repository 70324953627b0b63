-- SPDX-License-Identifier: BSD-2-Clause
-- Patterns that are wrong, in PCRE's words.
local t = require "parity"
for _, p in ipairs { "(", ")", "[a", "*", "a**", "(?", "(?<n", "\\", "a{2,1}", "(?z)", "[b-a]", "(?P<1>a)", "x{99999}", "(?<=a*)" } do
    t.say(p, ngx.re.match("abc", p))
end
for _, p in ipairs { "(", "[a" } do
    t.say(p, ngx.re.match("abc", p, "jo"))
end
t.say((pcall(ngx.re.match)))
t.say((pcall(ngx.re.match, "x")))
t.say((pcall(ngx.re.match, nil, "x")))
