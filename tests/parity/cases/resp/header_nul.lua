-- SPDX-License-Identifier: BSD-2-Clause
-- A NUL and bytes over 127 in a value.
ngx.header["X-Bytes"] = "a\255\228b"
ngx.header["X-Tab"] = "a\tb"
ngx.say("x")
