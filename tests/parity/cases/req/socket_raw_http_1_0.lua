-- SPDX-License-Identifier: BSD-2-Clause
-- The raw socket and HTTP/1.0.
--[=[ client
get(version="1.0")
]=]
local t = require "parity"
ngx.say("buffered")
t.say(ngx.req.socket(true))
