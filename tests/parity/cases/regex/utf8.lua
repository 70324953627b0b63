-- SPDX-License-Identifier: BSD-2-Clause
-- u and U, and broken UTF-8.
local t = require "parity"
t.say(ngx.re.match("\228\189\160\229\165\189", ".", "u"), ngx.re.match("\228\189\160\229\165\189", "."))
t.say(ngx.re.match("\195\132", "\195\164", "iu"))
t.say(ngx.re.match("\255\254", ".", "u"))
t.say(ngx.re.match("a\255", "a", "U"))
t.say(ngx.re.match("x", "\255", "u"))
