-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 with output that is flushed.
--[=[ client
get(version="1.0", close=False)
]=]
local t = require "parity"
ngx.header.content_length = 12
ngx.say("hello")
t.say(ngx.flush(true))
