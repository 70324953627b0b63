-- SPDX-License-Identifier: BSD-2-Clause
-- Numbers of the connection and the request.
--[=[ client
get(close=False)
wait("0\r\n\r\n")
get()
]=]
local t = require "parity"
t.say(ngx.var.connection_requests, ngx.var.connection:match("^%d+$") ~= nil)
t.say(#ngx.var.request_id, ngx.var.request_id:match("^%x+$") ~= nil)
