-- SPDX-License-Identifier: BSD-2-Clause
-- A header after the headers were sent: logged, ignored.
--[=[ client
get()
end()
logged("attempt to set ngx.header.HEADER after sending out response headers")
]=]
local t = require "parity"
ngx.say("begun")
ngx.header["X-Late"] = "x"
t.say(ngx.header["X-Late"])
