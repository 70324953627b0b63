-- SPDX-License-Identifier: BSD-2-Clause
-- Sizes that are no whole numbers above 0, and texts.
--[=[ upstream
accept()
send("line\nabcdefghijklmnopqrstuvwxyz")
wait("x")
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive(4))
for _, size in ipairs { 0, "0", "2", 1.5, 0.5, "1.5", -1, "-1", -0.5, "x", "0x1", " 1" } do
    t.try(sock.receive, sock, size)
end
sock:send("x")
sock:close()
t.say(sock:receive(0))
