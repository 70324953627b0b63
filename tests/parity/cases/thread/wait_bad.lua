-- SPDX-License-Identifier: BSD-2-Clause
-- wait with what is no thread of ours.
local t = require "parity"
t.try(ngx.thread.wait)
t.try(ngx.thread.wait, "x")
t.try(ngx.thread.wait, coroutine.create(function() end))
