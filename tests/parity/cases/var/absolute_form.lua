-- SPDX-License-Identifier: BSD-2-Clause
-- A target in absolute form.
--[=[ client
send("GET http://abs.parity" + path + "?a=1 HTTP/1.1\r\nHost: parity\r\nConnection: close\r\n\r\n")
]=]
local t = require "parity"
t.say(ngx.var.request_uri, ngx.var.uri, ngx.var.args, ngx.var.host, ngx.var.http_host, ngx.var.request)
t.say(ngx.req.get_method(), ngx.req.get_uri_args())
