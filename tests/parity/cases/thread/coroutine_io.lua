-- SPDX-License-Identifier: BSD-2-Clause
-- Coroutines that sleep and talk to sockets.
--[=[ upstream
accept()
wait("line\n")
send("answer\n")
]=]
local t = require "parity"
local co = coroutine.create(function()
    ngx.sleep(0.001)
    coroutine.yield("slept")
    local sock = t.connect()
    sock:send("line\n")
    local line = sock:receive()
    coroutine.yield(line)
    sock:close()
    return "done"
end)
t.say(coroutine.resume(co))
t.say(coroutine.resume(co))
t.say(coroutine.resume(co))
t.say(coroutine.status(co))
