-- SPDX-License-Identifier: BSD-2-Clause
-- http_version.
--[=[ client
get()
end()
client()
get(version="1.0")
]=]
local t = require "parity"
t.say(ngx.req.http_version())
