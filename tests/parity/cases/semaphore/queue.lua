-- SPDX-License-Identifier: BSD-2-Clause
-- A queue between two threads.
local t = require "parity"
local sema, queue = require("ngx.semaphore").new(), {}
local reader = ngx.thread.spawn(function()
    local out = {}
    while #out < 5 do
        sema:wait(5)
        out[#out + 1] = table.remove(queue, 1)
    end
    return out
end)
for i = 1, 5 do
    queue[#queue + 1] = i
    sema:post()
    if i % 2 == 0 then
        ngx.sleep(0.001)
    end
end
t.say(ngx.thread.wait(reader))
