-- SPDX-License-Identifier: BSD-2-Clause
-- What semaphores do not take.
local t = require "parity"
local semaphore = require "ngx.semaphore"
t.try(semaphore.new, -1)
local sema = semaphore.new()
t.try(sema.post, sema, 0)
t.try(sema.post, sema, -1)
t.try(sema.wait, sema, -1)
t.try(sema.wait, {}, 1)
t.try(sema.count, nil)
