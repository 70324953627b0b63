-- SPDX-License-Identifier: BSD-2-Clause
-- Timers in the order of their delays.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
for _, delay in ipairs { 0.06, 0.02, 0.04 } do
    ngx.timer.at(delay, function()
        n.note(delay)
        if delay == 0.06 then
            n.done()
        end
    end)
end
