-- SPDX-License-Identifier: BSD-2-Clause
-- Content-Type: the default, cleared, and set to others.
--[=[ client
for what in ("default", "nil", "json", "empty"):
    client()
    get("?" + what)
    end()
]=]
local t = require "parity"
local what = ngx.var.args
if what == "nil" then
    ngx.header.content_type = nil
elseif what == "json" then
    ngx.header["Content-Type"] = "application/json"
elseif what == "empty" then
    ngx.header["Content-Type"] = ""
end
t.say(ngx.header.content_type)
