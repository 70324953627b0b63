-- SPDX-License-Identifier: BSD-2-Clause
-- An error of a thread is its own.
--[=[ client
get()
end()
logged("lua user thread aborted: runtime error:")
logged("error.lua:11: of the thread")
]=]
local t = require "parity"
local a = ngx.thread.spawn(function()
    error("of the thread")
end)
local ok, err = ngx.thread.wait(a)
t.say(ok, t.placeless(err))
t.say(coroutine.status(a))
