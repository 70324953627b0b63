-- SPDX-License-Identifier: BSD-2-Clause
-- Patterns whose beginnings look alike.
--[=[ upstream
for data in ("abababac-rest", "abcabcabd-rest", "aaaaab-rest", "--\r\n--\r\n\r\n--x-rest"):
    accept()
    send(data)
    leave()
]=]
local t = require "parity"
for _, pattern in ipairs { "ababac", "abcabd", "aaab", "\r\n--x" } do
    local sock = t.connect()
    local read = sock:receiveuntil(pattern)
    t.say(pattern, read())
    t.say(sock:receive("*a"))
    sock:close()
end
