-- SPDX-License-Identifier: BSD-2-Clause
-- access lets the request through.
local t = require "parity"
t.say("content", ngx.ctx.seen)
