-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of log_headers.lua.
local t = require "parity"
local n = t.notes()
n.note(ngx.resp.get_headers())
n.note(ngx.var.sent_http_transfer_encoding, ngx.var.sent_http_content_type, ngx.var.sent_http_x_one, ngx.var.sent_http_connection)
n.note(t.attempt(function() ngx.header["X-One"] = "2" end))
n.note(t.attempt(function() ngx.status = 500 end))
n.note(t.attempt(require("ngx.resp").add_header, "X-Two", "2"))
n.note(ngx.header["X-One"], ngx.header["X-Two"], ngx.status, ngx.var.status)
n.done()
