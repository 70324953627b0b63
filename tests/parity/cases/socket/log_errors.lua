-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout is logged where that is asked for.
--[=[ nginx
lua_socket_log_errors on;
]=]
--[=[ moongate
lua_socket_log_errors = on
]=]
--[=[ client
get()
end()
logged("lua tcp socket read timed out")
]=]
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
sock:settimeout(10)
t.say(sock:receive())
sock:close()
