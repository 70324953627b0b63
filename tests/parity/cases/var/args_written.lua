-- SPDX-License-Identifier: BSD-2-Clause
-- $args can be written.
--[=[ client
get("?a=1")
]=]
local t = require "parity"
ngx.var.args = "b=2"
t.say(ngx.var.args, ngx.var.arg_b, ngx.req.get_uri_args(), ngx.var.query_string)
ngx.var.args = nil
t.say(ngx.var.args)
