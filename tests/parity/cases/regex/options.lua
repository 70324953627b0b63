-- SPDX-License-Identifier: BSD-2-Clause
-- Each of the options.
local t = require "parity"
for _, o in ipairs { "", "a", "d", "i", "j", "jo", "m", "s", "x", "u", "U", "D", "ad", "ijo", "oi", "isjo" } do
    t.say(o, ngx.re.match("Hello\nWORLD x", "world", o), ngx.re.match("Hello\nWORLD x", "^w . r l d", o),
        ngx.re.match("Hello\nWORLD", "o.w", o .. "i"))
end
t.try(ngx.re.match, "x", "x", "q")
t.try(ngx.re.match, "x", "x", "jz")
t.say((pcall(ngx.re.match, "x", "x", 5)))
