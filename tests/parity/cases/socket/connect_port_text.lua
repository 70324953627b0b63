-- SPDX-License-Identifier: BSD-2-Clause
-- The port as text.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:connect("127.0.0.1", tostring(t.port())))
t.say(sock:close())
