-- SPDX-License-Identifier: BSD-2-Clause
-- A timer that makes the next.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
local function step(_, i)
    n.note(i)
    if i == 3 then
        return n.done()
    end
    ngx.timer.at(0, step, i + 1)
end
ngx.timer.at(0, step, 1)
