-- SPDX-License-Identifier: BSD-2-Clause
-- spawn with what is no function.
local t = require "parity"
t.try(ngx.thread.spawn)
t.try(ngx.thread.spawn, "x")
