-- SPDX-License-Identifier: BSD-2-Clause
-- Variables of an upgrade request.
--[=[ client
open("Origin: http://x", "Sec-WebSocket-Protocol: a, b")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, ngx.var.http_upgrade, ngx.var.http_connection, ngx.var.http_sec_websocket_key, ngx.var.http_origin)
t.tell(wb, ngx.var.http_sec_websocket_protocol, ngx.var.http_sec_websocket_version, ngx.var.status, ngx.var.sent_http_upgrade)
