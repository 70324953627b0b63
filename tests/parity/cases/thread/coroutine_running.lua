-- SPDX-License-Identifier: BSD-2-Clause
-- running.
local t = require "parity"
local co, main = coroutine.running()
t.say(type(co), main)
