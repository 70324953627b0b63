-- SPDX-License-Identifier: BSD-2-Clause
-- A variable of the route's own.
--[=[ nginx
set $mine "first";
]=]
local t = require "parity"
ngx.var.mine = "second"
t.say(ngx.var.mine)
ngx.var.mine = 3
t.say(ngx.var.mine)
ngx.var.mine = nil
t.say(ngx.var.mine)
