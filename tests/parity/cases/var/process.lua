-- SPDX-License-Identifier: BSD-2-Clause
-- pid, hostname, scheme and https.
local t = require "parity"
t.say(tonumber(ngx.var.pid) == ngx.worker.pid(), #ngx.var.hostname > 0, ngx.var.scheme, ngx.var.https)
