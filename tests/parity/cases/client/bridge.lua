-- SPDX-License-Identifier: BSD-2-Clause
-- Between a client and another server, frame by frame.
--[=[ client
open()
text("there")
wait_frames(1)
binary("and again")
wait_frames(2)
close_frame(1000, "done")
]=]
--[=[ upstream
accept()
answer_101()
wait_frames(1)
text("back")
wait_frames(2)
binary("and back")
wait_frames(3)
close_frame(1000, "done")
]=]
local server = require "resty.websocket.server"
local client = require "resty.websocket.client"
local t = require "parity"
local down = assert(server:new())
local up = assert(client:new())
assert(up:connect("ws://127.0.0.1:" .. t.port() .. "/x"))
local opcodes = { text = 1, binary = 2, close = 8 }
local function pump(from, to)
    repeat
        local data, typ, err = from:recv_frame()
        if not data then
            return err
        elseif typ == "close" then
            to:send_close(err, data)
        else
            to:send_frame(true, opcodes[typ], data)
        end
    until typ == "close"
end
local there = ngx.thread.spawn(pump, down, up)
local back = ngx.thread.spawn(pump, up, down)
ngx.thread.wait(there)
ngx.thread.wait(back)
up:close()
