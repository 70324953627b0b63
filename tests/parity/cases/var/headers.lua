-- SPDX-License-Identifier: BSD-2-Clause
-- http_NAME and cookie_NAME.
--[=[ client
get("", "X-One: 1", "X-Two: a", "X-Two: b", "User-Agent: parity/1", "Referer: http://x/", "Cookie: a=1; b=two words; c=",
    "X_Under: u", "X-Empty:")
]=]
local t = require "parity"
t.say(ngx.var.http_x_one, ngx.var.http_X_One, ngx.var.http_user_agent, ngx.var.http_referer, ngx.var.http_cookie)
t.say(ngx.var.cookie_a, ngx.var.cookie_b, ngx.var.cookie_c, ngx.var.cookie_d, ngx.var.cookie_A)
t.say(ngx.var.http_missing, ngx.var.http_x_under, ngx.var.http_x_empty)
