-- SPDX-License-Identifier: BSD-2-Clause
-- coroutine.yield of the entry thread.
local t = require "parity"
ngx.say("one")
t.say(coroutine.yield())
ngx.say("two")
