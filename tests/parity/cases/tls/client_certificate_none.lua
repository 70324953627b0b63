-- SPDX-License-Identifier: BSD-2-Clause
-- The variables of a client's certificate where there is none, by TLS and without.
--[=[ client
client(tls={"name": "app.parity"})
get()
end()
client()
get()
]=]
local t = require "parity"
for _, name in ipairs { "verify", "s_dn", "i_dn", "s_dn_legacy", "i_dn_legacy", "serial", "fingerprint", "v_start", "v_end",
    "v_remain", "cert", "raw_cert", "escaped_cert" } do
    t.say(name, ngx.var["ssl_client_" .. name])
end
t.say(ngx.var.ssl_protocol ~= nil, ngx.var.ssl_cipher ~= nil, ngx.var.ssl_server_name)
