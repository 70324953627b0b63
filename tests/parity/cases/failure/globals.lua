-- SPDX-License-Identifier: BSD-2-Clause
-- Globals are the request's own.
--[=[ client
get()
end()
client()
get()
]=]
local t = require "parity"
t.say(mine, _G.mine)
mine = "set"
t.say(mine, _G.mine, rawget(_G, "mine"), getfenv(1) == _G)
