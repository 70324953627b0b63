-- SPDX-License-Identifier: BSD-2-Clause
-- A dictionary that is full: the oldest go.
local t = require "parity"
local d = ngx.shared.tiny
local forced, n = false, 0
repeat
    n = n + 1
    local ok, err, forcible = d:set("key " .. n, ("x"):rep(100))
    forced = forced or forcible
until forced or not ok or n > 2000
t.say(forced, d:get("key 1"), d:get("key " .. n) ~= nil)
t.say(d:safe_set("one more", ("y"):rep(1000)))
t.say(d:get("one more"))
t.say(d:safe_add("one more", ("y"):rep(1000)))
t.say(d:set("too large", ("z"):rep(100000)))
d:flush_all()
d:flush_expired()
t.say(d:set("fits again", "x"))
