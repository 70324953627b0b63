-- SPDX-License-Identifier: BSD-2-Clause
-- What say does not take.
local t = require "parity"
t.try(ngx.say, { a = 1 })
t.try(ngx.say, { "x", print })
t.try(ngx.say, print)
t.try(ngx.say, coroutine.create(function() end))
t.try(ngx.print, { { {} } })
t.try(ngx.print, { "x", nil, "y" })
t.try(ngx.say, { true })
t.try(ngx.say, { "a", ngx.null })
