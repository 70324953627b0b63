-- SPDX-License-Identifier: BSD-2-Clause
-- What a timer does not take.
local t = require "parity"
t.say((pcall(ngx.timer.at)))
t.say((pcall(ngx.timer.at, 0)))
t.say((pcall(ngx.timer.at, 0, "x")))
t.say((pcall(ngx.timer.at, "x", function() end)))
t.try(ngx.timer.at, 0, print)
