-- SPDX-License-Identifier: BSD-2-Clause
-- discard_body, and a request behind it.
--[=[ client
request("POST", body="x" * 1000, close=False)
wait("done")
get()
]=]
local t = require "parity"
t.say(ngx.req.discard_body())
ngx.say("done")
