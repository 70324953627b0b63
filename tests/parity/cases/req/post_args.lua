-- SPDX-License-Identifier: BSD-2-Clause
-- get_post_args.
--[=[ client
request("POST", "", "Content-Type: application/x-www-form-urlencoded", body="a=1&b=x+y%21&a=2&c")
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.get_post_args())
t.say(ngx.req.get_post_args(2))
