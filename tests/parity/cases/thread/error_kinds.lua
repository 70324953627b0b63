-- SPDX-License-Identifier: BSD-2-Clause
-- Errors that are no strings.
local t = require "parity"
t.say(ngx.thread.wait(ngx.thread.spawn(function()
    error(true)
end)))
t.say(ngx.thread.wait(ngx.thread.spawn(function()
    ngx.sleep(0.001)
    error({ code = 5 })
end)))
t.say(ngx.thread.wait(ngx.thread.spawn(function()
    error(nil)
end)))
