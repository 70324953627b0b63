-- SPDX-License-Identifier: BSD-2-Clause
-- A thread resumes the coroutine that spawned it, which wants to kill it (the oracle stops there).
local t = require "parity"
local a = coroutine.create(function()
    local b = ngx.thread.spawn(function(parent)
        ngx.sleep(0.001)
        t.say(coroutine.resume(parent))
        t.say("b goes on")
    end, coroutine.running())
    coroutine.yield()
    t.say(ngx.thread.kill(b))
end)
t.say(coroutine.resume(a))
ngx.sleep(0.05)
t.say(coroutine.status(a))
