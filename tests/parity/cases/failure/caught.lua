-- SPDX-License-Identifier: BSD-2-Clause
-- pcall, xpcall and error levels.
local t = require "parity"
t.say(pcall(error, "x"))
t.say(pcall(error, "x", 0))
t.say(pcall(error))
t.say(pcall(error, { 1 }))
t.say(pcall(function() error("here") end))
t.say(pcall(function() error("above", 2) end))
t.say(xpcall(function() error("x", 0) end, function(e) return "handled " .. e end))
t.say(xpcall(function() return 1, 2 end, print))
t.say(select(2, pcall(function() return nil + 1 end)))
t.say(select(2, pcall(function() return {} .. "x" end)))
t.say(select(2, pcall(function() return #nil end)))
t.say(select(2, pcall(string.rep)))
