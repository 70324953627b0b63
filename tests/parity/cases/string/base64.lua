-- SPDX-License-Identifier: BSD-2-Clause
-- encode_base64 and decode_base64.
local t = require "parity"
t.try(ngx.encode_base64, "hello")
t.try(ngx.encode_base64, "hello", true)
t.try(ngx.encode_base64, "")
t.try(ngx.encode_base64, "\0\255\254")
t.try(ngx.encode_base64, 123)
t.try(ngx.encode_base64, nil)
t.try(ngx.encode_base64, true)
for _, s in ipairs { "aGVsbG8=", "aGVsbG8", "", "!!!", "aGVs bG8=", "a", "aG", "aGV", "AP/+", "AP_-", "aGVsbG8=\n" } do
    t.say(s, ngx.decode_base64(s))
end
t.try(ngx.decode_base64, nil)
t.try(ngx.decode_base64, 5)
