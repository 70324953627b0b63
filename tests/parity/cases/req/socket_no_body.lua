-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.req.socket() without a body.
local t = require "parity"
t.say(ngx.req.socket())
