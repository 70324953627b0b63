-- SPDX-License-Identifier: BSD-2-Clause
-- The parent of a thread is the coroutine that has spawned it.
local t = require "parity"
local th
local co = coroutine.create(function()
    th = ngx.thread.spawn(function() ngx.sleep(0.001) return "of the coroutine" end)
    coroutine.yield()
    t.say(ngx.thread.wait(th))
    th = ngx.thread.spawn(function() ngx.sleep(0.001) return "again" end)
end)
coroutine.resume(co)
t.try(ngx.thread.wait, th)
t.say(ngx.thread.kill(th))
coroutine.resume(co)
t.say(coroutine.status(co))
t.try(ngx.thread.wait, th)
t.say(ngx.thread.kill(th))
