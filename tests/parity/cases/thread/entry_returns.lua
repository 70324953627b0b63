-- SPDX-License-Identifier: BSD-2-Clause
-- The request goes on until its threads have ended.
ngx.thread.spawn(function()
    ngx.sleep(0.005)
    ngx.say("from the thread")
end)
ngx.say("the entry thread is done")
