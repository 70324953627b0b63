-- SPDX-License-Identifier: BSD-2-Clause
-- A client by TLS without a name.
--[=[ client
client(tls={})
get()
]=]
local t = require "parity"
t.say(ngx.var.ssl_server_name, ngx.var.scheme)
