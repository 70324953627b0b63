-- SPDX-License-Identifier: BSD-2-Clause
-- set_header, clear_header and their effect.
--[=[ client
get("", "X-One: 1", "X-Two: 2", "X-Two: 22")
]=]
local t = require "parity"
ngx.req.set_header("X-One", "changed")
ngx.req.set_header("X-New", "new")
ngx.req.set_header("X-Number", 5)
ngx.req.set_header("X-Table", { "a", "b" })
ngx.req.clear_header("X-Two")
t.say(ngx.req.get_headers())
t.say(ngx.var.http_x_one, ngx.var.http_x_two, ngx.var.http_x_new)
ngx.req.set_header("X-One", nil)
ngx.req.set_header("X-New", "")
ngx.req.set_header("X-Table", {})
t.say(ngx.req.get_headers())
