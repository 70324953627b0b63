-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit of a thread after the handshake.
--[=[ client
open()
wait_frames(1)
text("end")
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
ngx.thread.spawn(function()
    wb:send_text("go on")
    wb:recv_frame()
    ngx.exit(444)
end)
ngx.sleep(5)
wb:send_text("never")
