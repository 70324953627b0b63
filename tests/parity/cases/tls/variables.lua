-- SPDX-License-Identifier: BSD-2-Clause
-- A client by TLS: what the variables say.
--[=[ client
client(tls={"name": "app.parity"})
get()
]=]
local t = require "parity"
t.say(ngx.var.scheme, ngx.var.https, ngx.var.ssl_protocol:match("^TLSv1.[23]$") ~= nil, ngx.var.ssl_server_name, ngx.var.ssl_client_verify)
t.say(ngx.var.ssl_cipher:match("^[%w_-]+$") ~= nil)
