-- SPDX-License-Identifier: BSD-2-Clause
-- coroutine.yield gives way to the others.
local t = require "parity"
local out = {}
local function worker(name)
    return function()
        for i = 1, 3 do
            out[#out + 1] = name .. i
            coroutine.yield()
        end
    end
end
local a, b = ngx.thread.spawn(worker("a")), ngx.thread.spawn(worker("b"))
ngx.thread.wait(a)
ngx.thread.wait(b)
t.say(out)
