-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.resp.add_header of the module.
local t = require "parity"
local resp = require "ngx.resp"
resp.add_header("X-One", "1")
resp.add_header("X-One", "2")
resp.add_header("X-Two", { "a", "b" })
ngx.header["X-Three"] = "3"
resp.add_header("X-Three", 4)
t.say(ngx.header["X-One"], ngx.header["X-Three"])
