-- SPDX-License-Identifier: BSD-2-Clause
-- get_uri_args with a limit.
--[=[ client
get("?" + "&".join(f"a{n}={n}" for n in range(150)))
]=]
local t = require "parity"
local function count(...)
    local h, err = ngx.req.get_uri_args(...)
    local n = 0
    for _ in pairs(h) do
        n = n + 1
    end
    t.say(n, err)
end
count()
count(5)
count(0)
count(150)
count(-1)
