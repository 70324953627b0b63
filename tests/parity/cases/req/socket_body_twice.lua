-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.req.socket() and then once more, or read_body().
--[=[ client
request("POST", body="hello")
]=]
local t = require "parity"
local sock = assert(ngx.req.socket())
t.try(ngx.req.socket)
t.try(ngx.req.read_body)
t.try(ngx.req.get_body_data)
t.say(sock:receive(5))
t.try(ngx.req.read_body)
t.try(ngx.req.get_body_data)
t.try(ngx.req.socket)
