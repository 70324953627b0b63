-- SPDX-License-Identifier: BSD-2-Clause
-- post, wait and count.
local t = require "parity"
local semaphore = require "ngx.semaphore"
local sema, err = semaphore.new()
t.say(sema ~= nil, err, sema:count())
local ok, err = sema:wait(0)
t.say(not ok, err)
ok, err = sema:wait(0.001)
t.say(not ok, err)
t.say(sema:post())
t.say(sema:count())
t.say(sema:post(2))
t.say(sema:count())
t.say(sema:wait(0), sema:wait(1), (sema:wait(0.001)))
t.say(sema:count())
t.say(semaphore.new(5):count())
