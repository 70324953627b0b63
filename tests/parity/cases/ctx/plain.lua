-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.ctx holds values for a request.
--[=[ client
get(close=False)
wait("0\r\n\r\n")
get()
]=]
local t = require "parity"
t.say(ngx.ctx.n, type(ngx.ctx))
ngx.ctx.n = (ngx.ctx.n or 0) + 1
t.say(ngx.ctx.n, ngx.ctx)
