-- SPDX-License-Identifier: BSD-2-Clause
-- One reads, one writes.
--[=[ upstream
accept()
send("first\n")
wait("answer\n")
send("second\n")
]=]
local t = require "parity"
local sock = t.connect()
local lines = {}
local reader = ngx.thread.spawn(function()
    lines[1] = sock:receive()
    lines[2] = sock:receive()
end)
ngx.sleep(0.005)
t.say(sock:send("answer\n"))
ngx.thread.wait(reader)
t.say(lines)
sock:close()
