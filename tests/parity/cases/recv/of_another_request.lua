-- SPDX-License-Identifier: BSD-2-Clause
-- A WebSocket of another request.
--[=[ client
a = client()
a.open(target="?keep")
a.wait_frames(1)
b = client()
b.get("?use")
b.end()
a.text("x")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
if ngx.var.args == "keep" then
    local wb = assert(server:new())
    package.loaded["parity.websocket"] = wb
    wb:send_text("kept")
    t.tell(wb, wb:recv_frame())
    return
end
local other = package.loaded["parity.websocket"]
t.try(other.send_text, other, "x")
t.try(other.recv_frame, other)
t.say(other.fatal)
