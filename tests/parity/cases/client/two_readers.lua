-- SPDX-License-Identifier: BSD-2-Clause
-- Two threads on one client.
--[=[ upstream
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
local first = ngx.thread.spawn(function()
    return wb:recv_frame()
end)
t.say(wb:recv_frame())
t.say(wb.fatal)
t.say(wb:send_text("x"))
t.say(ngx.thread.kill(first))
t.say(wb.sock:send("x"))
t.say(wb.sock:close())
