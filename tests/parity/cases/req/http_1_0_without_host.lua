-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 needs no Host.
--[=[ client
get(version="1.0", host=None, close=False)
]=]
local t = require "parity"
t.say(ngx.var.http_host, ngx.req.get_headers())
