-- SPDX-License-Identifier: BSD-2-Clause
-- A thread that waits for a frame is killed: that was the connection's end.
--[=[ client
open()
wait_frames(1)
end()
notes()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local n = t.notes()
local wb = assert(server:new())
wb:send_text("before")
local th = ngx.thread.spawn(function() return wb:recv_frame() end)
n.note(ngx.thread.kill(th))
n.note(wb:recv_frame())
n.note(wb.fatal)
n.note(wb.sock:send("x"))
n.done()
