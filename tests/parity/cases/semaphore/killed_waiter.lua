-- SPDX-License-Identifier: BSD-2-Clause
-- Waiters that are killed are not counted, and nothing is lost with them.
local t = require "parity"
local sema = require("ngx.semaphore").new()
local a = ngx.thread.spawn(function() return sema:wait(5) end)
local b = ngx.thread.spawn(function() return sema:wait(5) end)
t.say(sema:count())
ngx.thread.kill(a)
t.say(sema:count())
sema:post()
t.say(ngx.thread.wait(b))
t.say(sema:count())
local c = ngx.thread.spawn(function() return sema:wait(5) end)
sema:post()
ngx.thread.kill(c)
ngx.sleep(0.001)
t.say(sema:count())
