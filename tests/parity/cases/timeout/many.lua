-- SPDX-License-Identifier: BSD-2-Clause
-- Timeouts one after the other, then a frame.
--[=[ client
open()
wait_frames(5)
text("at last")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
wb:set_timeout(5)
for _ = 1, 5 do
    t.tell(wb, wb:recv_frame())
end
wb:set_timeout(8000)
t.tell(wb, wb:recv_frame())
