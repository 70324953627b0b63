-- SPDX-License-Identifier: BSD-2-Clause
-- PEM to DER and back to an object.
local t = require "parity"
local ssl = require "ngx.ssl"
local der = assert(ssl.cert_pem_to_der(t.key_file("client.pem")))
t.say(#der > 200, der:byte(1))
local key = assert(ssl.priv_key_pem_to_der(t.key_file("client.key")))
t.say(#key > 50, key:byte(1))
t.say(type(ssl.parse_pem_cert(t.key_file("server.pem"))))
