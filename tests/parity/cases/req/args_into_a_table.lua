-- SPDX-License-Identifier: BSD-2-Clause
-- get_uri_args into a table that is given.
--[=[ client
get("?a=1&b=2")
]=]
local t = require "parity"
local given = {}
t.say(ngx.req.get_uri_args(100, given), given)
