-- SPDX-License-Identifier: BSD-2-Clause
-- A timer has one of its own.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
ngx.ctx.a = 1
ngx.timer.at(0, function()
    n.note(ngx.ctx.a, type(ngx.ctx))
    ngx.ctx.b = 2
    n.note(ngx.ctx)
    n.done()
end)
t.say(ngx.ctx)
