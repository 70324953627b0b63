-- SPDX-License-Identifier: BSD-2-Clause
-- Only the parent may wait.
local t = require "parity"
local a = ngx.thread.spawn(function() ngx.sleep(0.01) return "a" end)
local b = ngx.thread.spawn(function()
    return t.attempt(ngx.thread.wait, a)
end)
t.say(ngx.thread.wait(b))
t.say(ngx.thread.wait(a))
