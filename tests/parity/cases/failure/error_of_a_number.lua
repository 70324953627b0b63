-- SPDX-License-Identifier: BSD-2-Clause
-- Errors that are numbers.
--[=[ client
get("?1")
end()
logged("lua entry thread aborted: runtime error: 42")
client()
get("?2")
end()
logged("error_of_a_number.lua:19: 43")
client()
get("?3")
end()
logged("lua user thread aborted: runtime error: 1.5")
]=]
if ngx.var.args == "1" then
    error(42, 0)
elseif ngx.var.args == "2" then
    error(43)
end
local t = require "parity"
t.say(ngx.thread.wait(ngx.thread.spawn(function() error(1.5, 0) end)))
