-- SPDX-License-Identifier: BSD-2-Clause
-- The same with a length of the script's, on a connection that stays.
--[=[ client
get(close=False)
get()
]=]
local t = require "parity"
local text = t.show(ngx.resp.get_headers())
ngx.header.content_type = "text/html"
ngx.header["Content-Length"] = 300
text = text .. t.show(ngx.resp.get_headers())
ngx.send_headers()
text = text .. t.show(ngx.resp.get_headers(), ngx.var.sent_http_connection)
ngx.print(text, ("."):rep(300 - #text))
