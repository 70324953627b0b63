-- SPDX-License-Identifier: BSD-2-Clause
-- access changes headers of request and response.
--[=[ client
get("", "X-Two: 2")
]=]
local t = require "parity"
t.say(ngx.var.http_x_one, ngx.var.http_x_two, ngx.req.get_headers())
