-- SPDX-License-Identifier: BSD-2-Clause
-- CR and LF in names and values are made harmless.
--[=[ client
get()
]=]
ngx.header["X-Value"] = "a\r\nX-Smuggled: yes"
ngx.header["X-Lf"] = "a\nb"
ngx.header["X-Name\r\nX-Smuggled"] = "c"
ngx.header["X-Table"] = { "a\r\nb", "c\rd" }
ngx.header["X-Colon: x"] = "d"
ngx.say("x")
