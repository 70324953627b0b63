-- SPDX-License-Identifier: BSD-2-Clause
-- Values of other kinds.
local t = require "parity"
ngx.header["X-Number"] = 1.5
ngx.header["X-Integer"] = 42
ngx.header["X-Boolean"] = true
ngx.header["X-Table"] = { 1, "b", true }
t.say(ngx.header["X-Number"], ngx.header["X-Boolean"])
