-- SPDX-License-Identifier: BSD-2-Clause
-- A second recv_frame at the same time fails, and nothing else.
--[=[ client
open()
wait_frames(1)
text("x")
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
wb:send_close(1000)
