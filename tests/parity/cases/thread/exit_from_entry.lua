-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit of the entry thread ends its threads.
local n = 0
ngx.thread.spawn(function()
    ngx.sleep(0.05)
    ngx.say("never")
end)
ngx.say("begun")
ngx.exit(200)
