-- SPDX-License-Identifier: BSD-2-Clause
-- exit without a status.
local t = require "parity"
t.say((pcall(ngx.exit)))
t.say((pcall(ngx.exit, "x")))
