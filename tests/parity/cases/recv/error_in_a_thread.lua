-- SPDX-License-Identifier: BSD-2-Clause
-- A thread that fails while another waits for a frame.
--[=[ client
open()
wait_frames(1)
text("x")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
local th = ngx.thread.spawn(function()
    ngx.sleep(0.001)
    error("of the thread", 0)
end)
t.tell(wb, ngx.thread.wait(th))
t.tell(wb, wb:recv_frame())
