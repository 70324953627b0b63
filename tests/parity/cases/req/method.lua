-- SPDX-License-Identifier: BSD-2-Clause
-- get_method and set_method.
--[=[ client
for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"):
    client()
    request(method, body="")
    end()
]=]
local t = require "parity"
t.say(ngx.req.get_method(), ngx.var.request_method)
ngx.req.set_method(ngx.HTTP_PUT)
t.say(ngx.req.get_method(), ngx.var.request_method)
t.try(ngx.req.set_method, 12345)
