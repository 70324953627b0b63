-- SPDX-License-Identifier: BSD-2-Clause
-- What the log phase sees.
--[=[ client
get("?a=1")
end()
notes()
]=]
ngx.status = 201
ngx.header["X-Mine"] = "yes"
ngx.say("x")
