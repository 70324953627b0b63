-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of client_certificate_phases.lua.
local t = require "parity"
local n = t.notes()
n.note(ngx.var.ssl_client_s_dn, ngx.var.ssl_client_verify, ngx.var.ssl_client_serial ~= nil, ngx.var.ssl_server_name, ngx.var.https)
n.done()
