-- SPDX-License-Identifier: BSD-2-Clause
-- A client's certificate without a subject.
--[=[ client
client(tls={"name": "app.parity", "certificate": "nameless"})
get()
]=]
local t = require "parity"
t.say(ngx.var.ssl_client_verify, ngx.var.ssl_client_serial, ngx.var.ssl_client_s_dn, ngx.var.ssl_client_s_dn_legacy)
t.say(ngx.var.ssl_client_i_dn, ngx.var.ssl_client_raw_cert == t.key_file("nameless.pem"):match("%-%-%-%-%-BEGIN CERTIFICATE.*"))
