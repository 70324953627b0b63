-- SPDX-License-Identifier: BSD-2-Clause
-- A timer with arguments.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
t.say(ngx.timer.at(0, function(premature, a, b, c)
    n.note(premature, a, b, c)
    n.done()
end, "a", nil, { 1 }))
