-- SPDX-License-Identifier: BSD-2-Clause
-- Waiters are woken in their order; count is negative meanwhile.
local t = require "parity"
local sema = require("ngx.semaphore").new()
local out, threads = {}, {}
for i = 1, 3 do
    threads[i] = ngx.thread.spawn(function()
        local ok, err = sema:wait(5)
        out[#out + 1] = { i, ok, err }
    end)
end
t.say(sema:count())
sema:post(2)
t.say(sema:count())
ngx.sleep(0.001)
t.say(sema:count(), out)
sema:post()
for _, th in ipairs(threads) do
    ngx.thread.wait(th)
end
t.say(sema:count(), out)
