-- SPDX-License-Identifier: BSD-2-Clause
-- kill of threads in every state, and twice.
local t = require "parity"
local sema = require("ngx.semaphore").new()
local function try(f, ...)
    local th = ngx.thread.spawn(f, ...)
    t.say(coroutine.status(th))
    t.say(ngx.thread.kill(th))
    t.say(coroutine.status(th))
    t.say(ngx.thread.kill(th))
    t.say(ngx.thread.wait(th))
    t.say(coroutine.resume(th))
end
try(function() ngx.sleep(5) end)
try(function() sema:wait(5) end)
t.say(sema:count())
try(function() coroutine.yield() end)
try(function() return 1 end)
try(function() coroutine.wrap(function() ngx.sleep(5) end)() end)
try(function() ngx.thread.wait(ngx.thread.spawn(function() ngx.sleep(0.001) end)) end)
