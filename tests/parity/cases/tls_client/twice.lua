-- SPDX-License-Identifier: BSD-2-Clause
-- A second sslhandshake on the connection.
--[=[ upstream
accept(tls={})
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false))
t.say(sock:sslhandshake(false))
sock:close()
