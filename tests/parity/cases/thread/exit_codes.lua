-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit of a thread with codes that answer nothing, and with one that has a page.
--[=[ client
for code in (444, 408, 499, 503):
    client()
    get(f"?{code}")
    end()
]=]
ngx.thread.spawn(function()
    ngx.sleep(0.001)
    ngx.exit(tonumber(ngx.var.args))
end)
ngx.sleep(5)
ngx.say("never")
