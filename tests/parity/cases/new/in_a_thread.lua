-- SPDX-License-Identifier: BSD-2-Clause
-- The handshake in a light thread.
--[=[ client
open()
text("x")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = select(2, ngx.thread.wait(ngx.thread.spawn(function()
    return assert(server:new())
end)))
t.tell(wb, wb:recv_frame())
