-- SPDX-License-Identifier: BSD-2-Clause
-- A header with an underscore in its name.
--[=[ client
get("", "X_Under: u")
]=]
local t = require "parity"
t.say(ngx.req.get_headers(), ngx.var.http_x_under)
