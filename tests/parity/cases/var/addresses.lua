-- SPDX-License-Identifier: BSD-2-Clause
-- Addresses and ports.
local t = require "parity"
t.say(ngx.var.remote_addr, ngx.var.server_addr, ngx.var.binary_remote_addr)
t.say(tonumber(ngx.var.remote_port) > 1024, tonumber(ngx.var.server_port) > 1024)
t.say(ngx.var.realip_remote_addr, ngx.var.proxy_protocol_addr)
