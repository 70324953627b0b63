-- SPDX-License-Identifier: BSD-2-Clause
-- The other side closes within the handshake.
--[=[ upstream
accept()
wait_bytes(5)
fin()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false))
