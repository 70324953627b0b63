-- SPDX-License-Identifier: BSD-2-Clause
-- A thread cannot be resumed as a coroutine.
local t = require "parity"
local th = ngx.thread.spawn(function()
    ngx.sleep(0.001)
    return "x"
end)
t.say(coroutine.resume(th))
t.say(ngx.thread.wait(th))
t.say(coroutine.resume(th))
