-- SPDX-License-Identifier: BSD-2-Clause
-- Variables of TLS on a connection without.
local t = require "parity"
t.say(ngx.var.ssl_protocol, ngx.var.ssl_cipher, ngx.var.ssl_server_name, ngx.var.ssl_client_verify, ngx.var.ssl_client_s_dn)
