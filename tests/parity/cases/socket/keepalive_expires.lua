-- SPDX-License-Identifier: BSD-2-Clause
-- A pooled connection is closed after its time.
--[=[ upstream
accept()
end()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:setkeepalive(10))
