-- SPDX-License-Identifier: BSD-2-Clause
-- get_post_args before the body is read.
--[=[ client
request("POST", body="a=1")
]=]
local t = require "parity"
t.try(ngx.req.get_post_args)
