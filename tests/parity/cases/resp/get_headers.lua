-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.resp.get_headers.
local t = require "parity"
ngx.header["X-One"] = "1"
ngx.header["X-Two"] = { "a", "b" }
ngx.header["Content-Type"] = "text/html"
local h = ngx.resp.get_headers()
t.say(h["x-one"], h["X-Two"], h.x_two, h["content-type"], h.missing)
t.say(ngx.resp.get_headers(100, true)["X-One"], ngx.resp.get_headers(0)["x-one"])
