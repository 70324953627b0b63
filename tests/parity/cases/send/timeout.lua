-- SPDX-License-Identifier: BSD-2-Clause
-- A send that is not taken in time.
--[=[ client
open()
forget()
notes()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local n = t.notes()
local wb = assert(server:new { max_payload_len = 33554432, timeout = 50 })
n.note(wb:send_binary(("x"):rep(33554432)))
n.note(wb.fatal)
n.note(wb:send_text("y"))
n.note(wb:recv_frame())
n.note(wb.sock:send("z"))
n.done()
