-- SPDX-License-Identifier: BSD-2-Clause
-- A second connect closes the first connection.
--[=[ upstream
accept()
end()
accept()
]=]
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:connect("127.0.0.1", t.port()))
t.say(sock:connect("127.0.0.1", t.port()))
t.say(sock:send("second"))
t.say(sock:close())
