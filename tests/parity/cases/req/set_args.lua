-- SPDX-License-Identifier: BSD-2-Clause
-- set_uri_args, by string and by table.
--[=[ client
get("?a=1")
]=]
local t = require "parity"
ngx.req.set_uri_args("b=2&c")
t.say(ngx.var.args, ngx.req.get_uri_args())
ngx.req.set_uri_args({ d = "x y" })
t.say(ngx.var.args, ngx.req.get_uri_args())
ngx.req.set_uri_args({ e = { "1", "2" } })
t.say(ngx.var.args, ngx.var.arg_e)
ngx.req.set_uri_args("")
t.say(ngx.var.args, ngx.req.get_uri_args())
ngx.req.set_uri_args(7)
t.say(ngx.var.args)
t.try(ngx.req.set_uri_args)
t.try(ngx.req.set_uri_args, true)
