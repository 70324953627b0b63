-- SPDX-License-Identifier: BSD-2-Clause
-- get_headers: lower-case names, several values.
--[=[ client
get("", "X-One: 1", "X-Two: a", "X-two: b", "X-Two: c", "Cookie: a=1", "X-Empty:")
]=]
local t = require "parity"
local h, err = ngx.req.get_headers()
t.say(h, err)
t.say(h["X-One"], h.x_one, h["x-TWO"], h.host, h.missing, h["X-Missing"])
