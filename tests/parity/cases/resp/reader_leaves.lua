-- SPDX-License-Identifier: BSD-2-Clause
-- The client leaves while the script writes.
--[=[ client
get()
wait("begun")
forget()
reset()
notes()
]=]
local t = require "parity"
local n = t.notes()
ngx.say("begun")
ngx.flush(true)
local ok, err
for _ = 1, 2000 do
    ok, err = ngx.say(("x"):rep(10000))
    if ok then
        ok, err = ngx.flush(true)
    end
    if not ok then
        break
    end
end
n.note(ok)
n.done()
