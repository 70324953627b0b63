-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of log_after_error.lua.
local t = require "parity"
local n = t.notes()
n.note(ngx.status, ngx.var.status)
n.done()
