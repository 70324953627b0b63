-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.ctx replaced by another table.
local t = require "parity"
ngx.ctx.old = 1
ngx.ctx = { new = 2 }
t.say(ngx.ctx, ngx.ctx.old)
t.try(function() ngx.ctx = "text" end)
