-- SPDX-License-Identifier: BSD-2-Clause
-- read_body and get_body_data.
--[=[ client
request("POST", body="hello body")
]=]
local t = require "parity"
t.say(ngx.req.get_body_data())
t.say(ngx.req.read_body())
t.say(ngx.req.get_body_data())
t.say(ngx.req.get_body_data())
t.say(ngx.req.get_body_file())
t.say(ngx.var.request_body, ngx.var.content_length)
