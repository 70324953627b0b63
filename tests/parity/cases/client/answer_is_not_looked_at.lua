-- SPDX-License-Identifier: BSD-2-Clause
-- Neither accept value nor other headers are checked, nor is the status.
--[=[ upstream
for answer in ("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: wrong\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
               "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 101\t\r\n\r\n"):
    accept()
    wait("\r\n\r\n")
    send(answer)
    text("frame")
    end()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
for _ = 1, 4 do
    local wb = assert(client:new())
    t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")))
    t.say(wb:recv_frame())
    wb.sock:close()
end
