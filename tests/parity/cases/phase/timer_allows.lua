-- SPDX-License-Identifier: BSD-2-Clause
-- What a timer allows.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n, reached = t.notes(), false
ngx.timer.at(0, function()
    local function try(name, f, ...)
        n.note(name, t.attempt(f, ...))
    end
    try("sleep", ngx.sleep, 0.001)
    try("spawn", function() return ngx.thread.wait(ngx.thread.spawn(function() return "x" end)) end)
    -- Held by a name: the oracle collects a socket that only a call waits on.
    local sock = ngx.socket.tcp()
    try("tcp", function()
        local ok, err = sock:connect("127.0.0.1", 1)
        return ok, err
    end)
    try("udp", function() return type(ngx.socket.udp()) end)
    try("timer", function() return (ngx.timer.at(0, function() end)) end)
    try("coroutine", function() return coroutine.wrap(function() return 1 end)() end)
    try("re", ngx.re.find, "abc", "c")
    reached = true
    try("exit", ngx.exit, 0)
    n.note("after exit")
end)
repeat
    ngx.sleep(0.001)
until reached
n.done()
