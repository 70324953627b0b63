-- SPDX-License-Identifier: BSD-2-Clause
-- All that the variables say of a client's certificate, held against its file.
--[=[ client
client(tls={"name": "app.parity", "certificate": True})
get()
]=]
local t = require "parity"
local v = ngx.var
local pem = t.key_file("client.pem"):match("%-%-%-%-%-BEGIN CERTIFICATE.*")
local der = ngx.decode_base64((pem:gsub("%-%-%-%-%-[^\n]*\n", ""):gsub("\n", "")))
t.say(v.ssl_client_verify, v.ssl_client_s_dn, v.ssl_client_i_dn, v.ssl_client_s_dn_legacy, v.ssl_client_i_dn_legacy)
t.say(v.ssl_client_raw_cert == pem, v.ssl_client_cert == pem:sub(1, -2):gsub("\n", "\n\t"),
    v.ssl_client_escaped_cert == ngx.escape_uri(pem))
t.say(v.ssl_client_fingerprint == ngx.sha1_bin(der):gsub(".", function(c) return string.format("%02x", c:byte()) end))
local time = "^%u%l%l [ %d]%d %d%d:%d%d:%d%d %d%d%d%d GMT$"
t.say(v.ssl_client_v_start:find(time), v.ssl_client_v_end:find(time))
t.say(v.ssl_client_v_remain == "29" or v.ssl_client_v_remain == "30")
t.say(v.ssl_client_serial:find("^%x+$") and not v.ssl_client_serial:find("%l"))
t.say(v.ssl_client_nothing)
