-- SPDX-License-Identifier: BSD-2-Clause
-- The standard library as LuaJIT has it.
local t = require "parity"
t.say(_VERSION, type(os.time()), type(io.open), string.format("%5.2f|%s|%q", 1.234, true, "a\nb"))
t.say(table.concat({ 1, 2, 3 }, ","), unpack({ 1, 2 }), select(-1, 1, 2), tostring(nil), tonumber("0x10"), #"abc")
t.say(load("return 1 + 1")(), loadstring("return ...")(5), pcall(load("error('x', 0)")))
t.say(type(setfenv), type(getfenv), type(string.buffer), math.max(1, 2), string.rep("ab", 3, "-"))
t.say(pcall(string.dump, print))
