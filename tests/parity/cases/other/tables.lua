-- SPDX-License-Identifier: BSD-2-Clause
-- LuaJIT's tables: new, clear and the others.
local t = require "parity"
local new, clear = require "table.new", require "table.clear"
local x = new(5, 5)
x[1], x.a = 1, 2
clear(x)
t.say(x, next(x))
local isempty, isarray, nkeys, clone = require "table.isempty", require "table.isarray", require "table.nkeys", require "table.clone"
t.say(isempty({}), isempty({ 1 }), isarray({ 1, 2 }), isarray({ a = 1 }), nkeys({ 1, 2, a = 3 }), clone({ 1, a = 2 }))
