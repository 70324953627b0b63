-- SPDX-License-Identifier: BSD-2-Clause
-- get_phase in each phase of a request.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
t.say(ngx.ctx.access, ngx.get_phase())
local n = t.notes()
ngx.timer.at(0, function()
    n.note(ngx.get_phase())
end)
ngx.thread.wait(ngx.thread.spawn(function()
    t.say(ngx.get_phase())
end))
ngx.ctx.content = ngx.get_phase()
