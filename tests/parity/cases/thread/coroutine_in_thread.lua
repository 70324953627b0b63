-- SPDX-License-Identifier: BSD-2-Clause
-- Coroutines within a light thread.
local t = require "parity"
local th = ngx.thread.spawn(function()
    local co = coroutine.wrap(function()
        ngx.sleep(0.001)
        coroutine.yield(1)
        ngx.sleep(0.001)
        return 2
    end)
    return co(), co()
end)
t.say(ngx.thread.wait(th))
