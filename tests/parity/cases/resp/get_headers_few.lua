-- SPDX-License-Identifier: BSD-2-Clause
-- What is not the script's is not counted.
local t = require "parity"
for i = 1, 5 do
    ngx.header["X-" .. i] = i
end
t.say(ngx.resp.get_headers(3))
t.say(ngx.resp.get_headers(5))
t.say(ngx.resp.get_headers(1))
