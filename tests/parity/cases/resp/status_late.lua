-- SPDX-License-Identifier: BSD-2-Clause
-- A status after the headers: logged, ignored.
--[=[ client
get()
end()
logged("attempt to set ngx.status after sending out response headers")
]=]
local t = require "parity"
ngx.say("begun")
ngx.status = 404
t.say(ngx.status)
