-- SPDX-License-Identifier: BSD-2-Clause
-- A thread is waited for once.
local t = require "parity"
local a = ngx.thread.spawn(function() return "a" end)
t.say(ngx.thread.wait(a))
t.say(ngx.thread.wait(a))
