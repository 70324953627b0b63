-- SPDX-License-Identifier: BSD-2-Clause
-- decode_base64mime skips what is no base64.
local t = require "parity"
for _, s in ipairs { "aGVsbG8=", "aGVs\r\nbG8=", "a!G@V#s", "" } do
    t.say(s, ngx.decode_base64mime(s))
end
t.try(ngx.decode_base64mime, nil)
