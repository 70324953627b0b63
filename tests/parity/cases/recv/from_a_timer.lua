-- SPDX-License-Identifier: BSD-2-Clause
-- A WebSocket in a timer.
--[=[ client
open()
wait_frames(1)
notes()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local n = t.notes()
local wb = assert(server:new())
wb:send_text("go on")
local tried = false
ngx.timer.at(0, function()
    n.note(t.attempt(wb.send_text, wb, "x"))
    n.note(t.attempt(wb.recv_frame, wb))
    tried = true
end)
repeat
    ngx.sleep(0.001)
until tried
n.done()
