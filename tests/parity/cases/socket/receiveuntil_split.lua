-- SPDX-License-Identifier: BSD-2-Clause
-- A pattern in two segments.
--[=[ upstream
accept()
send("text-")
wait("x")
send("-END-rest\n")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive(2))
local reader = ngx.thread.spawn(function()
    return sock:receiveuntil("--END-")()
end)
sock:send("x")
t.say(ngx.thread.wait(reader))
t.say(sock:receive())
sock:close()
