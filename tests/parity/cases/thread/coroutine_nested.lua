-- SPDX-License-Identifier: BSD-2-Clause
-- Coroutines within coroutines that sleep.
local t = require "parity"
local function level(n)
    return coroutine.wrap(function()
        if n == 0 then
            ngx.sleep(0.001)
            coroutine.yield("bottom")
            return "end"
        end
        local inner = level(n - 1)
        coroutine.yield(n .. " " .. inner())
        return inner()
    end)
end
local top = level(5)
t.say(top())
t.say(top())
