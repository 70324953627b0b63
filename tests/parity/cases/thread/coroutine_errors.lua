-- SPDX-License-Identifier: BSD-2-Clause
-- Errors within coroutines.
local t = require "parity"
local co = coroutine.create(function()
    error("inside", 0)
end)
t.say(coroutine.resume(co))
t.say(coroutine.status(co))
t.say(coroutine.resume(coroutine.create(function() error({ 1 }) end)))
t.try(coroutine.resume, "x")
t.try(coroutine.create, "x")
t.try(coroutine.status, 1)
