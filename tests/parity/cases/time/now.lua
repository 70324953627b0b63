-- SPDX-License-Identifier: BSD-2-Clause
-- now, time and the texts, and how they go together.
local t = require "parity"
local now = ngx.now()
t.say(type(now), math.abs(now - os.time()) < 5, ngx.time() == math.floor(now) or ngx.time())
t.say(now == ngx.now())
t.say(ngx.today():match("^%d%d%d%d%-%d%d%-%d%d$") ~= nil, ngx.today() == ngx.localtime():sub(1, 10))
t.say(ngx.localtime():match("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d$") ~= nil)
t.say(ngx.utctime():match("^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d$") ~= nil)
t.say(ngx.utctime() == os.date("!%Y-%m-%d %H:%M:%S", ngx.time()))
t.say(ngx.localtime() == os.date("%Y-%m-%d %H:%M:%S", ngx.time()))
t.say(ngx.update_time())
t.say(ngx.now() >= now)
