-- SPDX-License-Identifier: BSD-2-Clause
-- A header that came twice.
--[=[ client
get("", "X-Two: a", "X-Two: b", "Cookie: a=1", "Cookie: b=2", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2")
]=]
local t = require "parity"
t.say(ngx.var.http_x_two, ngx.var.http_cookie, ngx.var.cookie_a, ngx.var.cookie_b, ngx.var.http_x_forwarded_for)
