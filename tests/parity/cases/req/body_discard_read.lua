-- SPDX-License-Identifier: BSD-2-Clause
-- What was discarded is not there to be read, and a request behind it is found.
--[=[ client
request("POST", body="a=1&b=2" * 100, close=False)
wait("done")
request("POST", body="a=1")
]=]
local t = require "parity"
-- (What nginx says between these two depends on how much of the body has come.)
t.try(ngx.req.discard_body)
t.try(ngx.req.read_body)
t.try(ngx.req.get_body_data)
t.try(ngx.req.get_post_args)
t.try(ngx.req.discard_body)
t.say(ngx.var.request_body)
ngx.say("done")
