-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of names.lua.
local t = require "parity"
local n = t.notes()
ngx.timer.at(0.01, function()
    n.note("the second timer")
    n.done()
end)
ngx.log(ngx.NOTICE, "phase case: ", ngx.ctx.access, ngx.ctx.content, ngx.get_phase())
