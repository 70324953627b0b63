-- SPDX-License-Identifier: BSD-2-Clause
-- Objects of DER.
local t = require "parity"
local ssl = require "ngx.ssl"
t.say(type(ssl.parse_der_cert(assert(ssl.cert_pem_to_der(t.key_file("client.pem"))))))
t.say(type(ssl.parse_der_priv_key(assert(ssl.priv_key_pem_to_der(t.key_file("client.key"))))))
t.say((ssl.parse_der_cert("no certificate")), (ssl.parse_der_priv_key("no key")))
