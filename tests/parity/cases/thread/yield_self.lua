-- SPDX-License-Identifier: BSD-2-Clause
-- coroutine.yield with the thread itself, as proxies do.
local t = require "parity"
local th
th = ngx.thread.spawn(function()
    t.say("one", coroutine.yield(coroutine.running()))
    t.say("two")
    return "done"
end)
t.say("entry")
t.say(ngx.thread.wait(th))
