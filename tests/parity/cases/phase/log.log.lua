-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of log.lua.
local t = require "parity"
local n = t.notes()
n.note(ngx.get_phase(), ngx.status, ngx.var.status, ngx.var.uri, ngx.var.arg_a, ngx.header["X-Mine"])
n.note(ngx.var.request_time:match("^%d+%.%d%d%d$") ~= nil, ngx.headers_sent)
n.done()
