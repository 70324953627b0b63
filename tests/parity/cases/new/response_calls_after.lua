-- SPDX-License-Identifier: BSD-2-Clause
-- Response calls after the handshake.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, ngx.say("x"))
t.tell(wb, ngx.print("x"))
t.tell(wb, ngx.flush())
t.tell(wb, ngx.eof())
t.tell(wb, ngx.send_headers())
t.tell(wb, t.attempt(ngx.redirect, "/x"))
t.tell(wb, ngx.req.socket(true))
t.tell(wb, ngx.req.socket())
