-- SPDX-License-Identifier: BSD-2-Clause
-- Threads of threads.
local t = require "parity"
local function tree(depth)
    if depth == 0 then
        ngx.sleep(0.001)
        return 1
    end
    local a, b = ngx.thread.spawn(tree, depth - 1), ngx.thread.spawn(tree, depth - 1)
    local _, x = ngx.thread.wait(a)
    local _, y = ngx.thread.wait(b)
    return x + y
end
t.say(tree(5))
