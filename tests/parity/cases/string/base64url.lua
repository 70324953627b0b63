-- SPDX-License-Identifier: BSD-2-Clause
-- The url variant, by the module.
local t = require "parity"
local b64 = require "ngx.base64"
t.say(b64.encode_base64url("\255\254\253hello"))
t.say(b64.encode_base64url(""))
for _, s in ipairs { "__79aGVsbG8", "aGVsbG8", "", "!!!", "aGVsbG8=" } do
    t.say(s, b64.decode_base64url(s))
end
t.try(b64.encode_base64url, 5)
t.try(b64.decode_base64url, 5)
