-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.resp.get_headers has what is not the script's, too.
local t = require "parity"
ngx.header["X-One"] = "1"
t.say(ngx.resp.get_headers(), ngx.var.sent_http_content_type)
t.say(ngx.resp.get_headers(), ngx.var.sent_http_transfer_encoding, ngx.var.sent_http_content_type)
t.say(ngx.var.sent_http_connection, ngx.header.transfer_encoding, ngx.header.content_type)
