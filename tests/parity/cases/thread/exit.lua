-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit of a thread ends the request.
ngx.thread.spawn(function()
    ngx.sleep(0.001)
    ngx.exit(403)
end)
ngx.sleep(5)
ngx.say("never")
