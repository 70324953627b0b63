-- SPDX-License-Identifier: BSD-2-Clause
-- set_header of Host.
local t = require "parity"
ngx.req.set_header("Host", "changed.example")
t.say(ngx.var.http_host, ngx.var.host, ngx.req.get_headers().host)
