-- SPDX-License-Identifier: BSD-2-Clause
-- A global that is written is warned of, once.
--[=[ client
get()
end()
logged("_G write guard")
logged("writing a global Lua variable ('parity_writes_this')")
]=]
local t = require "parity"
parity_writes_this = 1
t.say(parity_writes_this)
