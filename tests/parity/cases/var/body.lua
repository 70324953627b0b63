-- SPDX-License-Identifier: BSD-2-Clause
-- Variables of a request's body.
--[=[ client
request("POST", "", "Content-Type: text/x", body="hello")
]=]
local t = require "parity"
t.say(ngx.var.content_length, ngx.var.content_type, ngx.var.request_body)
ngx.req.read_body()
t.say(ngx.var.request_body)
