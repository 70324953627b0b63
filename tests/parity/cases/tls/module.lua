-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.ssl on a connection with TLS.
--[=[ client
client(tls={"name": "app.parity"})
get()
]=]
local t = require "parity"
local ssl = require "ngx.ssl"
t.try(ssl.server_name)
t.try(function() return ssl.get_tls1_version_str():match("^TLSv1") end)
t.try(function() return type(ssl.get_tls1_version()) end)
t.try(function() return select(2, ssl.raw_client_addr()) end)
t.try(function() return select(2, ssl.raw_server_addr()) end)
