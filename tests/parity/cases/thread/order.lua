-- SPDX-License-Identifier: BSD-2-Clause
-- spawn runs until the first yield.
local t = require "parity"
t.say("before")
local th, err = ngx.thread.spawn(function(a, b)
    t.say("in the thread", a, b)
    ngx.sleep(0.001)
    t.say("after its sleep")
    return "x", nil, 3
end, 1, nil)
t.say("spawned", type(th), err, coroutine.status(th))
t.say(ngx.thread.wait(th))
t.say(coroutine.status(th))
