-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_threads.lua.
local a = ngx.thread.spawn(function() ngx.sleep(0.002) return 1 end)
local b = ngx.thread.spawn(function() return 2 end)
ngx.ctx.sum = select(2, ngx.thread.wait(a)) + select(2, ngx.thread.wait(b))
