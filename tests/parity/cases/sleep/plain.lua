-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.sleep, and its argument.
local t = require "parity"
local start = ngx.now()
t.say(ngx.sleep(0.01))
ngx.update_time()
t.say(ngx.now() - start > 0.005)
t.say(ngx.sleep(0))
t.say(ngx.sleep("0.001"))
t.try(ngx.sleep, -1)
t.try(ngx.sleep)
t.try(ngx.sleep, "x")
