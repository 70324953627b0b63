-- SPDX-License-Identifier: BSD-2-Clause
-- Frames of two threads, each whole.
--[=[ client
open()
wait_frames(200)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
local function sender(text)
    return function()
        for _ = 1, 100 do
            wb:send_text(text)
        end
        return text
    end
end
local a, b = ngx.thread.spawn(sender("a")), ngx.thread.spawn(sender("b"))
t.tell(wb, ngx.thread.wait(a))
t.tell(wb, ngx.thread.wait(b))
