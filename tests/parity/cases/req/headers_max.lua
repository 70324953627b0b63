-- SPDX-License-Identifier: BSD-2-Clause
-- get_headers with a limit.
--[=[ client
get("", *[f"X-{n}: {n}" for n in range(90)])
]=]
local t = require "parity"
local function count(...)
    local h, err = ngx.req.get_headers(...)
    local n = 0
    for _ in pairs(h) do
        n = n + 1
    end
    t.say(n, err)
end
count()
count(5)
count(1)
count(0)
count(200)
