-- SPDX-License-Identifier: BSD-2-Clause
-- Times that setkeepalive takes.
--[=[ upstream
accept()
]=]
local t = require "parity"
for _, ms in ipairs { 0, 0.5, -0.5, 60000.5, "60000", 2 ^ 31 - 1, 2 ^ 31, 2 ^ 32 + 60000 } do
    local sock = t.connect()
    t.say(sock:getreusedtimes())
    t.say(sock:setkeepalive(ms))
    ngx.sleep(0.001)
end
local sock = t.connect()
t.try(sock.setkeepalive, sock, 1, 2, 3)
t.try(sock.setkeepalive)
t.say(sock:close())
