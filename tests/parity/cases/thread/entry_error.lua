-- SPDX-License-Identifier: BSD-2-Clause
-- The entry thread's error ends all.
ngx.thread.spawn(function()
    ngx.sleep(0.05)
    ngx.say("never")
end)
error("broken")
