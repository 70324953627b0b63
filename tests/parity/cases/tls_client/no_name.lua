-- SPDX-License-Identifier: BSD-2-Clause
-- Verification without a name.
--[=[ upstream
accept(tls={})
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:sslhandshake(false, nil, true))
sock:close()
