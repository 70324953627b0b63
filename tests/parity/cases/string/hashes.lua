-- SPDX-License-Identifier: BSD-2-Clause
-- md5, sha1, crc32 and hmac.
local t = require "parity"
local function hex(s)
    return (s:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end
for _, s in ipairs { "", "hello", ("x"):rep(1000) } do
    t.say(ngx.md5(s), hex(ngx.md5_bin(s)), hex(ngx.sha1_bin(s)), ngx.crc32_short(s), ngx.crc32_long(s))
end
t.say(hex(ngx.hmac_sha1("key", "hello")), hex(ngx.hmac_sha1("", "")), hex(ngx.hmac_sha1(("k"):rep(100), "x")))
t.say(ngx.md5(5), hex(ngx.sha1_bin(5)))
t.try(ngx.md5, nil)
t.try(ngx.sha1_bin, nil)
t.try(ngx.crc32_short, nil)
t.try(ngx.hmac_sha1, "key")
