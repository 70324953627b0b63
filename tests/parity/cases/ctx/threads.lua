-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.ctx is that of the request in its threads too.
local t = require "parity"
ngx.ctx.a = 1
ngx.thread.wait(ngx.thread.spawn(function()
    ngx.ctx.b = ngx.ctx.a + 1
    ngx.sleep(0.001)
    ngx.ctx.c = 3
end))
t.say(ngx.ctx)
