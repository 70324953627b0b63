-- SPDX-License-Identifier: BSD-2-Clause
-- Sends to a client that has reset the connection, until one fails.
--[=[ client
open()
wait_frames(1)
reset()
notes()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local n = t.notes()
local wb = assert(server:new())
wb:send_text("go on")
n.note(wb:recv_frame())
n.note(wb:send_text("x"))
n.note(wb:send_close(1000))
n.note(wb.fatal)
n.done()
