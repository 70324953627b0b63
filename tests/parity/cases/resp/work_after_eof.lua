-- SPDX-License-Identifier: BSD-2-Clause
-- The client has its answer before the script is done.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
ngx.say("answer")
ngx.eof()
ngx.sleep(0.005)
n.note("after")
n.done()
