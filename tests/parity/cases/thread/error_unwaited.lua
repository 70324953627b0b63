-- SPDX-License-Identifier: BSD-2-Clause
-- Nobody waits for a thread that fails: the request goes on.
ngx.thread.spawn(function()
    ngx.sleep(0.001)
    error("unheard")
end)
ngx.sleep(0.005)
ngx.say("goes on")
