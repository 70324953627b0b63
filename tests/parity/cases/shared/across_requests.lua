-- SPDX-License-Identifier: BSD-2-Clause
-- What one request has set, the next one sees.
--[=[ client
get("?set")
end()
client()
get()
]=]
local t = require "parity"
local d = ngx.shared.dict
if ngx.var.args == "set" then
    d:set("across", "from the first")
end
t.say(d:get("across"))
