-- SPDX-License-Identifier: BSD-2-Clause
-- A method that nobody knows.
--[=[ client
request("BREW")
]=]
local t = require "parity"
t.say(ngx.req.get_method(), ngx.var.request_method)
