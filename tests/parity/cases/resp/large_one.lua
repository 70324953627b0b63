-- SPDX-License-Identifier: BSD-2-Clause
-- A megabyte in one call.
local t = require "parity"
t.say(ngx.print(("x"):rep(1048576)))
