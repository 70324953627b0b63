-- SPDX-License-Identifier: BSD-2-Clause
-- wait with some that were waited for already: they count only where they stand last.
local t = require "parity"
local function gone()
    local th = ngx.thread.spawn(function() return "gone" end)
    ngx.thread.wait(th)
    return th
end
local function zombie(v)
    return ngx.thread.spawn(function() return v end)
end
local function alive(v)
    return ngx.thread.spawn(function() ngx.sleep(0.002) return v end)
end
t.say(ngx.thread.wait(gone()))
t.say(ngx.thread.wait(gone(), gone()))
t.say(ngx.thread.wait(gone(), alive("a")))
t.say(ngx.thread.wait(gone(), zombie("b")))
t.say(ngx.thread.wait(zombie("c"), gone()))
t.say(ngx.thread.wait(gone(), gone(), zombie("d")))
local killed = alive("never")
t.say(ngx.thread.kill(killed))
t.say(ngx.thread.wait(killed, alive("e")))
local f = alive("f")
t.say(ngx.thread.wait(f, gone()))
t.say(ngx.thread.wait(f))
