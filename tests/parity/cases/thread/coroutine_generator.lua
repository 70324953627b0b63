-- SPDX-License-Identifier: BSD-2-Clause
-- A generator in a for loop, with sleeps.
local t = require "parity"
local function numbers(n)
    return coroutine.wrap(function()
        for i = 1, n do
            ngx.sleep(0.001)
            coroutine.yield(i)
        end
    end)
end
for i in numbers(3) do
    t.say(i)
end
