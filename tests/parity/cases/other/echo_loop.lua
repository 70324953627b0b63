-- SPDX-License-Identifier: BSD-2-Clause
-- The usual echo server, for a while.
--[=[ client
open()
for n in range(10):
    text(f"message {n}")
    wait_frames(n + 1)
ping("are you there")
wait_frames(11)
close_frame(1000, "bye")
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new { timeout = 5000, max_payload_len = 65535 })
while true do
    local data, typ, err = wb:recv_frame()
    if not data then
        return wb:send_close(1011, err)
    elseif typ == "close" then
        return wb:send_close(err, data)
    elseif typ == "ping" then
        wb:send_pong(data)
    elseif typ == "text" then
        wb:send_text(data)
    end
end
