-- SPDX-License-Identifier: BSD-2-Clause
-- get_headers with the names as they came.
--[=[ client
get("", "X-One: 1", "x-one: 2", "MiXeD: x")
]=]
local t = require "parity"
t.say(ngx.req.get_headers(100, true))
t.say(ngx.req.get_headers(0, true).MiXeD, ngx.req.get_headers(0, true).mixed)
