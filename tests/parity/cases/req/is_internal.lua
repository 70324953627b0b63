-- SPDX-License-Identifier: BSD-2-Clause
-- is_internal.
local t = require "parity"
t.say(ngx.req.is_internal(), ngx.is_subrequest)
