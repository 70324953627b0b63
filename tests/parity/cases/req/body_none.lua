-- SPDX-License-Identifier: BSD-2-Clause
-- read_body without a body.
--[=[ client
get()
end()
client()
request("POST", body="")
]=]
local t = require "parity"
t.say(ngx.req.read_body())
t.say(ngx.req.get_body_data(), ngx.var.request_body)
