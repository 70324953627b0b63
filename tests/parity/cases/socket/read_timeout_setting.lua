-- SPDX-License-Identifier: BSD-2-Clause
-- The setting of the read timeout.
--[=[ nginx
lua_socket_read_timeout 20ms;
]=]
--[=[ moongate
lua_socket_read_timeout = 20ms
]=]
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = ngx.socket.tcp()
sock:connect("127.0.0.1", t.port())
t.say(sock:receive())
sock:close()
