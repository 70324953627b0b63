-- SPDX-License-Identifier: BSD-2-Clause
-- A timer that repeats.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n, times = t.notes(), 0
t.say(ngx.timer.every(0.005, function(premature, a)
    times = times + 1
    if times <= 3 then
        n.note(times, premature, a)
    end
    if times == 3 then
        n.done()
    end
end, "a"))
