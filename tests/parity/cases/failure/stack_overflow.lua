-- SPDX-License-Identifier: BSD-2-Clause
-- Recursion without an end is an error that can be caught.
local t = require "parity"
local function deeper()
    return 1 + deeper()
end
local ok, err = pcall(deeper)
t.say(ok, err:find("stack overflow", 1, true) ~= nil)
