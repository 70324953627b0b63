-- SPDX-License-Identifier: BSD-2-Clause
-- http_time and parse_http_time.
local t = require "parity"
for _, n in ipairs { 0, 1, 1290079655, 2147483647, 4102444800 } do
    t.say(n, ngx.http_time(n), ngx.cookie_time(n))
end
for _, s in ipairs { "Thu, 18 Nov 2010 11:27:35 GMT", "Thursday, 18-Nov-10 11:27:35 GMT", "Thu Nov 18 11:27:35 2010", "no time", "",
    "Thu, 32 Nov 2010 11:27:35 GMT", "Thu, 18 Nov 2010 11:27:35", "Thu, 18 Nov 2010 24:27:35 GMT" } do
    t.say(s, ngx.parse_http_time(s))
end
t.try(ngx.http_time)
t.try(ngx.http_time, "x")
t.try(ngx.parse_http_time)
t.try(ngx.http_time, 1.9)
t.try(ngx.http_time, "5")
