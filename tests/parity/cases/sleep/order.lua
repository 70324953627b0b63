-- SPDX-License-Identifier: BSD-2-Clause
-- Who sleeps less wakes first.
local t = require "parity"
local out = {}
local threads = {}
for i, seconds in ipairs { 0.06, 0.02, 0.04, 0 } do
    threads[i] = ngx.thread.spawn(function()
        ngx.sleep(seconds)
        out[#out + 1] = seconds
    end)
end
for _, th in ipairs(threads) do
    ngx.thread.wait(th)
end
t.say(out)
