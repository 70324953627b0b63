-- SPDX-License-Identifier: BSD-2-Clause
-- create, resume, yield, wrap and status.
local t = require "parity"
local co = coroutine.create(function(a, b)
    t.say("in", a, b, coroutine.status(coroutine.running()))
    local c = coroutine.yield(a + b)
    t.say("again", c)
    return "end", nil
end)
t.say(coroutine.status(co))
t.say(coroutine.resume(co, 1, 2))
t.say(coroutine.status(co))
t.say(coroutine.resume(co, 3))
t.say(coroutine.status(co))
t.say(coroutine.resume(co))
local wrapped = coroutine.wrap(function(x)
    for i = x, x + 2 do
        coroutine.yield(i)
    end
end)
t.say(wrapped(5), wrapped(), wrapped(), wrapped())
