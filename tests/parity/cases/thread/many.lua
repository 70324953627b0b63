-- SPDX-License-Identifier: BSD-2-Clause
-- A thousand threads.
local t = require "parity"
local threads = {}
for i = 1, 1000 do
    threads[i] = ngx.thread.spawn(function()
        ngx.sleep(0.001 * (i % 3))
        return i
    end)
end
local sum = 0
for _, th in ipairs(threads) do
    local ok, n = ngx.thread.wait(th)
    sum = sum + (ok and n or 0)
end
t.say(sum)
