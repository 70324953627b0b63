-- SPDX-License-Identifier: BSD-2-Clause
-- After its close frame a server may send and receive.
--[=[ client
open()
wait_frames(1)
text("still")
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
wb:send_close(1000)
t.tell(wb, wb:recv_frame())
t.tell(wb, wb:send_text("data"))
t.tell(wb, wb:recv_frame())
