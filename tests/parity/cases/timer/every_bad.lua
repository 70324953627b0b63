-- SPDX-License-Identifier: BSD-2-Clause
-- What every does not take.
local t = require "parity"
t.try(ngx.timer.every, 0, function() end)
t.try(ngx.timer.every, 1)
