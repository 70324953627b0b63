-- SPDX-License-Identifier: BSD-2-Clause
-- Errors within coroutines.
local t = require "parity"
local co = coroutine.create(function()
    error("inside", 0)
end)
t.say(coroutine.resume(co))
t.say(coroutine.status(co))
t.say(coroutine.resume(coroutine.create(function() error({ 1 }) end)))
t.say((pcall(coroutine.resume, "x")))
t.say((pcall(coroutine.create, "x")))
t.say((pcall(coroutine.status, 1)))
