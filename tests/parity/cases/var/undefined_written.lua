-- SPDX-License-Identifier: BSD-2-Clause
-- Names that are not to be written.
local t = require "parity"
t.try(function() ngx.var.nobody_has_this = "x" end)
t.try(function() ngx.var.remote_addr = "1.2.3.4" end)
t.try(function() ngx.var.uri = "/x" end)
t.try(function() ngx.var.http_x = "y" end)
t.try(function() ngx.var.arg_a = "1" end)
t.say(ngx.var.arg_a, ngx.var.http_x)
