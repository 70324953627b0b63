-- SPDX-License-Identifier: BSD-2-Clause
-- A table from get_headers is a copy.
local t = require "parity"
local h = ngx.req.get_headers()
h["x-new"] = "mine"
t.say(h["X-New"], h["x-new"], ngx.req.get_headers()["x-new"], ngx.var.http_x_new)
