-- SPDX-License-Identifier: BSD-2-Clause
-- pool_size and backlog: who waits, and who may not.
--[=[ upstream
accept()
]=]
local t = require "parity"
local opts = { pool = "backlog" .. t.port(), pool_size = 1, backlog = 1 }
local sock = t.connect(opts)
local waiter = ngx.thread.spawn(function()
    local second = ngx.socket.tcp()
    local ok, err = second:connect("127.0.0.1", t.port(), opts)
    local times = second:getreusedtimes()
    second:close()
    return ok, err, times
end)
local third = ngx.socket.tcp()
t.say(third:connect("127.0.0.1", t.port(), opts))
t.say(sock:setkeepalive())
t.say(ngx.thread.wait(waiter))
