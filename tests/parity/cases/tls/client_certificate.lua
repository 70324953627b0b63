-- SPDX-License-Identifier: BSD-2-Clause
-- A client with a certificate.
--[=[ client
client(tls={"name": "app.parity", "certificate": True})
get()
]=]
local t = require "parity"
t.say(ngx.var.ssl_client_verify, ngx.var.ssl_client_s_dn, ngx.var.ssl_client_i_dn)
