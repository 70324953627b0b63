-- SPDX-License-Identifier: BSD-2-Clause
-- What the request line says.
--[=[ client
get("?a=1&b=two%20words&c&A=upper")
end()
client()
get()
]=]
local t = require "parity"
t.say(ngx.var.uri, ngx.var.request_uri, ngx.var.document_uri)
t.say(ngx.var.args, ngx.var.query_string, ngx.var.is_args)
t.say(ngx.var.arg_a, ngx.var.arg_b, ngx.var.arg_c, ngx.var.arg_A, ngx.var.arg_d, ngx.var.arg_)
t.say(ngx.var.request_method, ngx.var.server_protocol, ngx.var.request)
