-- SPDX-License-Identifier: BSD-2-Clause
-- A socket is closed with its request.
--[=[ upstream
accept()
end()
]=]
local t = require "parity"
t.connect():send("left open")
