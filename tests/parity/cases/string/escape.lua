-- SPDX-License-Identifier: BSD-2-Clause
-- escape_uri and unescape_uri.
local t = require "parity"
local all = {}
for i = 0, 255 do
    all[#all + 1] = string.char(i)
end
t.say(ngx.escape_uri(table.concat(all)))
t.say(ngx.escape_uri("a b/c?d=e&f", 0), ngx.escape_uri("a b/c?d=e&f", 2))
t.try(ngx.escape_uri, "x", 1)
t.try(ngx.escape_uri, "x", 9)
t.say(ngx.escape_uri(5), ngx.escape_uri(""), (pcall(ngx.escape_uri, nil)), (pcall(ngx.escape_uri)))
for _, s in ipairs { "a%20b", "a+b", "%", "%4", "%zz", "%41%42", "", "%e4%", "%2", "a%2Fb", "%00" } do
    t.say(s, ngx.unescape_uri(s))
end
t.say(ngx.unescape_uri(5), (pcall(ngx.unescape_uri, nil)))
