-- SPDX-License-Identifier: BSD-2-Clause
-- start_time is now, or just before.
local t = require "parity"
local start = ngx.req.start_time()
t.say(type(start), start <= ngx.now() + 0.001, ngx.now() - start < 5)
