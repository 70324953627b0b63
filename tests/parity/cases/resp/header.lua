-- SPDX-License-Identifier: BSD-2-Clause
-- Headers set, read, replaced and cleared.
local t = require "parity"
ngx.header["X-One"] = "1"
ngx.header.x_two = 2
ngx.header["X-Three"] = { "a", "b" }
ngx.header["X-Four"] = "gone"
t.say(ngx.header["X-One"], ngx.header.x_two, ngx.header["x-three"], ngx.header["X-Four"], ngx.header["X-Five"])
