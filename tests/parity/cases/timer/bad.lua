-- SPDX-License-Identifier: BSD-2-Clause
-- What a timer does not take.
local t = require "parity"
t.try(ngx.timer.at)
t.try(ngx.timer.at, 0)
t.try(ngx.timer.at, 0, "x")
t.try(ngx.timer.at, "x", function() end)
