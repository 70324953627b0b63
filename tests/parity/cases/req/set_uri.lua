-- SPDX-License-Identifier: BSD-2-Clause
-- set_uri without a jump.
--[=[ client
get("?a=1")
]=]
local t = require "parity"
ngx.req.set_uri("/other path")
t.say(ngx.var.uri, ngx.var.request_uri, ngx.var.args)
t.try(ngx.req.set_uri, "")
t.try(ngx.req.set_uri)
t.try(ngx.req.set_uri, "/x", true)
