-- SPDX-License-Identifier: BSD-2-Clause
-- HEAD has no body.
--[=[ client
request("HEAD")
]=]
local t = require "parity"
ngx.header["X-Method"] = ngx.req.get_method()
t.say(ngx.say("not seen"))
