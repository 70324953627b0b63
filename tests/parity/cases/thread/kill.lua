-- SPDX-License-Identifier: BSD-2-Clause
-- kill, and what cannot be killed.
local t = require "parity"
local a = ngx.thread.spawn(function()
    ngx.sleep(5)
    ngx.say("never")
end)
t.say(ngx.thread.kill(a))
t.say(ngx.thread.kill(a))
t.say(coroutine.status(a))
t.say(ngx.thread.wait(a))
local b = ngx.thread.spawn(function() return 1 end)
t.say(ngx.thread.kill(b))
t.say(ngx.thread.wait(b))
t.say(ngx.thread.kill(b))
t.say(ngx.thread.kill(coroutine.create(function() end)))
t.try(ngx.thread.kill)
t.try(ngx.thread.kill, "x")
