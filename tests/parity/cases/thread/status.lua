-- SPDX-License-Identifier: BSD-2-Clause
-- The status of a thread in its life.
local t = require "parity"
local main = coroutine.running()
local th
th = ngx.thread.spawn(function()
    t.say("itself", coroutine.status(coroutine.running()), "parent", coroutine.status(main))
    ngx.sleep(0.001)
end)
t.say(coroutine.status(th))
ngx.sleep(0.005)
t.say(coroutine.status(th))
ngx.thread.wait(th)
t.say(coroutine.status(th))
