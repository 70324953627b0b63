-- SPDX-License-Identifier: BSD-2-Clause
-- A second recv_frame at the same time fails, for good.
--[=[ client
open()
wait_frames(1)
text("x")
wait_frames(2)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
local first = ngx.thread.spawn(function()
    return wb:recv_frame()
end)
local data, typ, err = wb:recv_frame()
t.tell(wb, data, typ, err, wb.fatal)
t.tell(wb, ngx.thread.wait(first))
