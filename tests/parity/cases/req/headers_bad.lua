-- SPDX-License-Identifier: BSD-2-Clause
-- get_headers with what it does not take.
local t = require "parity"
t.say((pcall(ngx.req.get_headers, "x")))
t.say((pcall(ngx.req.get_headers, {})))
