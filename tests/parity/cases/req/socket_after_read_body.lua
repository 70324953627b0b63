-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.req.socket() after read_body.
--[=[ client
request("POST", body="hello")
]=]
local t = require "parity"
ngx.req.read_body()
t.say(ngx.req.socket())
