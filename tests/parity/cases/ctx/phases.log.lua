-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of phases.lua.
local t = require "parity"
local n = t.notes()
n.note(ngx.ctx)
n.done()
