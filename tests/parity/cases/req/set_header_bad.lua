-- SPDX-License-Identifier: BSD-2-Clause
-- set_header with what it does not take.
local t = require "parity"
t.try(ngx.req.set_header, "X-Crlf", "a\r\nb")
t.say(ngx.var.http_x_crlf)
