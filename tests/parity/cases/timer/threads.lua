-- SPDX-License-Identifier: BSD-2-Clause
-- A timer with threads.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
ngx.timer.at(0, function()
    local a = ngx.thread.spawn(function() ngx.sleep(0.001) return "a" end)
    local b = ngx.thread.spawn(function() error("b", 0) end)
    n.note(ngx.thread.wait(a))
    n.note(ngx.thread.wait(b))
    n.done()
end)
