-- SPDX-License-Identifier: BSD-2-Clause
-- Reader and writer on the raw socket in two threads.
--[=[ client
get()
wait("first")
send("answer\n")
]=]
local t = require "parity"
local sock = assert(ngx.req.socket(true))
local reader = ngx.thread.spawn(function()
    return sock:receive()
end)
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst\n")
sock:send(t.show(ngx.thread.wait(reader)) .. "\n")
