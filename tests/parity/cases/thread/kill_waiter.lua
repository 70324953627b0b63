-- SPDX-License-Identifier: BSD-2-Clause
-- A killed thread that waited on a socket, a semaphore, a sleep.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
local sema = require("ngx.semaphore").new()
local threads = {
    ngx.thread.spawn(function() return sock:receive() end),
    ngx.thread.spawn(function() return sema:wait(5) end),
    ngx.thread.spawn(function() return ngx.sleep(5) end),
}
t.say(sema:count())
for _, th in ipairs(threads) do
    t.say(ngx.thread.kill(th))
end
t.say(sema:count())
t.say(sock:close())
