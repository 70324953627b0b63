-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of log_of_a_websocket.lua.
local t = require "parity"
local n = t.notes()
n.note(ngx.get_phase(), ngx.status, ngx.var.status, ngx.headers_sent)
n.done()
