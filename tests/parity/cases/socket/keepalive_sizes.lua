-- SPDX-License-Identifier: BSD-2-Clause
-- The size is that of a pool that is made, and is looked at only then.
--[=[ upstream
[accept() for n in range(10)]
]=]
local t = require "parity"
for _, size in ipairs { -1, 0, {}, "x" } do
    local sock = t.connect()
    t.try(sock.setkeepalive, sock, 60000, size)
    sock:close()
end
for _, size in ipairs { -1, {}, 1.5 } do
    local one, other = t.connect(), t.connect()
    t.say(one:setkeepalive(60000, "2"))
    t.try(other.setkeepalive, other, 60000, size)
    one, other = t.connect(), t.connect()
    t.say(one:getreusedtimes(), other:getreusedtimes())
    one:close()
    other:close()
end
