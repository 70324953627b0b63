-- SPDX-License-Identifier: BSD-2-Clause
-- A session that goes on in a second connection has its first one's certificate.
--[=[ client
a = client(tls={"name": "app.parity", "certificate": True})
get()
end()
client(tls={"name": "app.parity", "again": a})
get()
]=]
local t = require "parity"
t.say(ngx.var.ssl_client_verify, ngx.var.ssl_client_s_dn, ngx.var.ssl_client_i_dn, ngx.var.ssl_client_serial ~= nil,
    ngx.var.ssl_client_fingerprint ~= nil)
