-- SPDX-License-Identifier: BSD-2-Clause
-- set_header with a function's nothing as the value.
--[=[ client
get("", "X-One: 1", "X-Two: 2")
]=]
local t = require "parity"
local function nothing() end
t.try(ngx.req.set_header, "X-One", nothing())
t.try(ngx.req.set_header, "X-Two", "a", "and more")
t.say(ngx.var.http_x_one, ngx.var.http_x_two)
