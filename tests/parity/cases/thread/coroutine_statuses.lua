-- SPDX-License-Identifier: BSD-2-Clause
-- running, normal, suspended and dead.
local t = require "parity"
local outer, inner
outer = coroutine.create(function()
    inner = coroutine.create(function()
        t.say(coroutine.status(outer), coroutine.status(inner))
        ngx.sleep(0.001)
        t.say(coroutine.status(outer), coroutine.status(inner))
        coroutine.yield()
    end)
    coroutine.resume(inner)
    t.say(coroutine.status(outer), coroutine.status(inner))
end)
coroutine.resume(outer)
t.say(coroutine.status(outer), coroutine.status(inner))
t.say(coroutine.resume(coroutine.running()))
