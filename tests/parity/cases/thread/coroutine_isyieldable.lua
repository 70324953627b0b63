-- SPDX-License-Identifier: BSD-2-Clause
-- running and isyieldable.
local t = require "parity"
local co, main = coroutine.running()
t.say(type(co), main)
t.say(coroutine.isyieldable and coroutine.isyieldable())
