-- SPDX-License-Identifier: BSD-2-Clause
-- A client's certificate whose names hold what has to be quoted, and with a long serial number.
--[=[ client
client(tls={"name": "app.parity", "certificate": "odd"})
get()
]=]
local t = require "parity"
t.say(ngx.var.ssl_client_verify, ngx.var.ssl_client_serial)
t.say(ngx.var.ssl_client_s_dn)
t.say(ngx.var.ssl_client_s_dn_legacy)
