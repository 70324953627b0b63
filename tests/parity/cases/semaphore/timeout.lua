-- SPDX-License-Identifier: BSD-2-Clause
-- A waiter that waits in vain.
local t = require "parity"
local sema = require("ngx.semaphore").new()
local th = ngx.thread.spawn(function() return sema:wait(0.005) end)
t.say(sema:count())
local _, ok, err = ngx.thread.wait(th)
t.say(ok, err)
t.say(sema:count())
