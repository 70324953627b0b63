-- SPDX-License-Identifier: BSD-2-Clause
-- An error in a timer is logged.
--[=[ client
get()
end()
logged("error.lua:9: in the timer")
]=]
ngx.timer.at(0, function()
    error("in the timer")
end)
