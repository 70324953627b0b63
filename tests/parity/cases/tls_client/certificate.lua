-- SPDX-License-Identifier: BSD-2-Clause
-- setclientcert, and a server that asks for one.
--[=[ upstream
accept(tls={"client": True})
send("welcome\n")
end()
accept(tls={"client": True})
]=]
local t = require "parity"
local ssl = require "ngx.ssl"
local cert = assert(ssl.parse_pem_cert(t.key_file("client.pem")))
local key = assert(ssl.parse_pem_priv_key(t.key_file("client.key")))
local sock = t.connect()
t.say(sock:setclientcert(cert, key))
t.say(sock:sslhandshake(false))
t.say(sock:receive())
sock:close()
sock = t.connect()
local ok = sock:sslhandshake(false)
t.say(ok and sock:receive())
