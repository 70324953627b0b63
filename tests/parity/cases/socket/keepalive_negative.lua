-- SPDX-License-Identifier: BSD-2-Clause
-- A time that is over: the connection is in the pool until the script waits, and no longer.
--[=[ upstream
accept()
end()
accept()
end()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:setkeepalive(-1, 5))
sock = t.connect()
t.say(sock:getreusedtimes())
t.say(sock:setkeepalive(-2 ^ 40))
ngx.sleep(0.02)
sock = t.connect()
t.say(sock:getreusedtimes())
t.say(sock:setkeepalive(-1))
