-- SPDX-License-Identifier: BSD-2-Clause
-- One request waits for another one's post.
--[=[ client
a = client()
a.get("?wait")
a.wait("waits")
client()
get("?post")
end()
]=]
local t = require "parity"
local shared = package.loaded["parity.semaphore"]
if not shared then
    shared = require("ngx.semaphore").new()
    package.loaded["parity.semaphore"] = shared
end
if ngx.var.args == "wait" then
    ngx.say("waits")
    ngx.flush(true)
    local ok, err = shared:wait(5)
    t.say(ok, err)
else
    t.say(shared:post())
end
