-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 needs no Host.
--[=[ client
get(version="1.0", host=None, close=False)
]=]
local t = require "parity"
local text = t.show(ngx.var.http_host, ngx.req.get_headers())
ngx.header.content_length = #text
ngx.print(text)
