-- SPDX-License-Identifier: BSD-2-Clause
-- wait for threads that have ended already.
local t = require "parity"
local a = ngx.thread.spawn(function() return "a" end)
local b = ngx.thread.spawn(function() return "b" end)
t.say(coroutine.status(a), coroutine.status(b))
t.say(ngx.thread.wait(b, a))
t.say(ngx.thread.wait(a))
