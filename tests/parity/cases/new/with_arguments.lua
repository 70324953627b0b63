-- SPDX-License-Identifier: BSD-2-Clause
-- The query and headers of the request are at hand afterwards.
--[=[ client
open("X-Name: value", target="?a=1&b=two")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, ngx.var.arg_a, ngx.req.get_uri_args(), ngx.var.http_x_name, ngx.var.uri)
