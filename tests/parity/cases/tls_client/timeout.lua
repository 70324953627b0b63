-- SPDX-License-Identifier: BSD-2-Clause
-- The other side is silent within the handshake.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
sock:settimeout(20)
t.say(sock:sslhandshake(false))
