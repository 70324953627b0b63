-- SPDX-License-Identifier: BSD-2-Clause
-- Headers cleared by nil, by an empty table, and by an empty string.
ngx.header["X-One"] = "1"
ngx.header["X-One"] = nil
ngx.header["X-Two"] = { "a", "b" }
ngx.header["X-Two"] = {}
ngx.header["X-Three"] = "x"
ngx.header["X-Three"] = ""
ngx.header["X-Four"] = { "a", "b", "c" }
ngx.header["X-Four"] = "one"
ngx.header["X-Five"] = "one"
ngx.header["X-Five"] = { "a", "b" }
ngx.say("x")
