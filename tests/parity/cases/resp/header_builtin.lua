-- SPDX-License-Identifier: BSD-2-Clause
-- Headers that the server itself knows.
local t = require "parity"
ngx.header.content_type = "text/html; charset=utf-8"
ngx.header["Cache-Control"] = { "no-cache", "no-store" }
ngx.header["Location"] = "/elsewhere"
ngx.header["ETag"] = '"x"'
ngx.header["Last-Modified"] = "Thu, 18 Nov 2010 11:27:35 GMT"
ngx.header["Set-Cookie"] = { "a=1; Path=/", "b=2" }
ngx.header["Link"] = "</x>"
t.say(ngx.header.content_type, ngx.header["cache-control"], ngx.header.location, ngx.header["Set-Cookie"])
