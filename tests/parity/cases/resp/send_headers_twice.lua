-- SPDX-License-Identifier: BSD-2-Clause
-- send_headers twice, and headers_sent.
local t = require "parity"
ngx.header["X-Before"] = ngx.headers_sent and "yes" or "no"
local first, err = ngx.send_headers()
t.say(first, err, ngx.headers_sent)
t.say(ngx.send_headers())
