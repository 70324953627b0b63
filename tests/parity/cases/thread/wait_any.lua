-- SPDX-License-Identifier: BSD-2-Clause
-- wait for several: the first to end.
local t = require "parity"
local slow = ngx.thread.spawn(function() ngx.sleep(0.05) return "slow" end)
local fast = ngx.thread.spawn(function() ngx.sleep(0.001) return "fast" end)
t.say(ngx.thread.wait(slow, fast))
t.say(ngx.thread.wait(slow))
