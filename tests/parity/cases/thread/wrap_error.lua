-- SPDX-License-Identifier: BSD-2-Clause
-- An error within coroutine.wrap.
local t = require "parity"
local ok, err = pcall(coroutine.wrap(function() error("wrapped", 0) end))
t.say(ok, t.placeless(err))
