-- SPDX-License-Identifier: BSD-2-Clause
-- sslhandshake with a name that the certificate has not.
--[=[ upstream
accept(tls={})
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false, "other.parity", true))
t.say(sock:close())
