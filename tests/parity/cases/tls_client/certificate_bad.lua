-- SPDX-License-Identifier: BSD-2-Clause
-- setclientcert with what it does not take.
local t = require "parity"
local ssl = require "ngx.ssl"
local sock = ngx.socket.tcp()
t.try(sock.setclientcert, sock)
t.try(sock.setclientcert, sock, "x", "y")
t.say(ssl.parse_pem_cert("no certificate"))
t.say(ssl.parse_pem_priv_key("no key"))
t.say(ssl.cert_pem_to_der("no certificate"))
t.say(ssl.priv_key_pem_to_der("no key"))
