-- SPDX-License-Identifier: BSD-2-Clause
-- on_abort, and a client that leaves.
--[=[ nginx
lua_check_client_abort on;
]=]
--[=[ client
get()
wait("begun")
leave()
notes()
]=]
local t = require "parity"
local n = t.notes()
t.say(ngx.on_abort(function()
    n.note("the client left")
    n.done()
    ngx.exit(499)
end))
t.say(ngx.on_abort(function() end))
ngx.say("begun")
ngx.flush(true)
ngx.sleep(5)
n.note("never")
