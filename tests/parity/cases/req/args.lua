-- SPDX-License-Identifier: BSD-2-Clause
-- get_uri_args in its forms.
--[=[ client
for args in ("", "?", "?a", "?a=", "?=b", "?a=1&b=2&a=3", "?a&a&b", "?a=%20%2b+x&b%20c=d", "?&&a=1&&", "?a=b=c", "?a=1;b=2",
             "?%", "?a=%zz&b=%4", "?a[]=1&a[]=2", "?a=%00b", "?a=%C3%A4"):
    client()
    get(args)
    end()
]=]
local t = require "parity"
t.say(ngx.var.args, ngx.req.get_uri_args())
