-- SPDX-License-Identifier: BSD-2-Clause
-- exit within a coroutine.
local co = coroutine.create(function()
    ngx.exit(403)
end)
coroutine.resume(co)
ngx.say("never")
