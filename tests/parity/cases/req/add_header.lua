-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.req.add_header of the module.
--[=[ client
get("", "X-One: 1")
]=]
local t = require "parity"
local req = require "ngx.req"
req.add_header("X-One", "2")
req.add_header("X-Two", { "a", "b" })
t.say(ngx.req.get_headers())
