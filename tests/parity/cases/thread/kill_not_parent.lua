-- SPDX-License-Identifier: BSD-2-Clause
-- Only the parent may kill.
local t = require "parity"
local a = ngx.thread.spawn(function() ngx.sleep(0.01) return "alive" end)
local b = ngx.thread.spawn(function() return ngx.thread.kill(a) end)
t.say(ngx.thread.wait(b))
t.say(ngx.thread.wait(a))
