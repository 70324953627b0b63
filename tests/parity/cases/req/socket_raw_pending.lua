-- SPDX-License-Identifier: BSD-2-Clause
-- The raw socket after unflushed output.
--[=[ client
get()
]=]
local t = require "parity"
ngx.say("x")
local sock, err = ngx.req.socket(true)
if not sock then
    return t.say(sock, err)
end
sock:send("5\r\nraw!\n\r\n0\r\n\r\n")
