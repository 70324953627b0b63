-- SPDX-License-Identifier: BSD-2-Clause
-- Yields across pcall and xpcall, and errors after them.
local t = require "parity"
t.say(pcall(function()
    ngx.sleep(0.001)
    return "slept"
end))
t.say(pcall(function()
    ngx.sleep(0.001)
    error("after", 0)
end))
t.say(xpcall(function()
    ngx.sleep(0.001)
    error("after", 0)
end, function(e) return "handled " .. e end))
