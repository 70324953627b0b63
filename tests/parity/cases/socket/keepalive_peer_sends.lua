-- SPDX-License-Identifier: BSD-2-Clause
-- A pooled connection on which data comes is used no more.
--[=[ upstream
accept()
wait("first")
send("unasked")
end()
accept()
]=]
local t = require "parity"
local sock = t.connect()
sock:send("first")
t.say(sock:setkeepalive())
ngx.sleep(0.05)
sock = t.connect()
t.say(sock:getreusedtimes())
sock:send("second")
sock:close()
