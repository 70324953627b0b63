-- SPDX-License-Identifier: BSD-2-Clause
-- Many threads count.
local t = require "parity"
local d = ngx.shared.dict
d:set("threads count", 0)
local threads = {}
for i = 1, 50 do
    threads[i] = ngx.thread.spawn(function()
        for _ = 1, 10 do
            d:incr("threads count", 1)
            ngx.sleep(0)
        end
    end)
end
for _, th in ipairs(threads) do
    ngx.thread.wait(th)
end
t.say(d:get("threads count"))
