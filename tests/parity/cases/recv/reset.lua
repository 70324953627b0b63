-- SPDX-License-Identifier: BSD-2-Clause
-- The client resets the connection.
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
local data, typ, err = wb:recv_frame()
n.note(data, typ, err)
n.note(wb.fatal)
n.note(wb:recv_frame())
n.note(wb:send_text("x"))
n.done()
