-- SPDX-License-Identifier: BSD-2-Clause
-- Statuses that are none.
local t = require "parity"
t.say((pcall(function() ngx.status = "many" end)))
t.say((pcall(function() ngx.status = {} end)))
