-- SPDX-License-Identifier: BSD-2-Clause
-- The clock by variables.
local t = require "parity"
t.say(ngx.var.msec:match("^%d+%.%d%d%d$") ~= nil, math.abs(tonumber(ngx.var.msec) - ngx.now()) < 5)
t.say(ngx.var.time_iso8601:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[+-]%d%d:%d%d$") ~= nil)
t.say(ngx.var.time_local:match("^%d%d/%a%a%a/%d%d%d%d:%d%d:%d%d:%d%d [+-]%d%d%d%d$") ~= nil)
t.say(ngx.var.request_time:match("^%d+%.%d%d%d$") ~= nil)
