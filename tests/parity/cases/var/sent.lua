-- SPDX-License-Identifier: BSD-2-Clause
-- sent_http_NAME and status.
local t = require "parity"
ngx.header["X-Mine"] = "yes"
ngx.status = 201
t.say(ngx.var.sent_http_x_mine, ngx.var.status)
ngx.flush(true)
t.say(ngx.var.sent_http_x_mine, ngx.var.sent_http_content_type, ngx.var.status, ngx.var.sent_http_none)
