-- SPDX-License-Identifier: BSD-2-Clause
-- Values of other kinds.
--[=[ nginx
set $mine "";
]=]
local t = require "parity"
t.say((pcall(function() ngx.var.mine = true end)), ngx.var.mine)
t.try(function() ngx.var.mine = {} end)
