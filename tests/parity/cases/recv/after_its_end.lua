-- SPDX-License-Identifier: BSD-2-Clause
-- A WebSocket after its request has ended.
--[=[ client
a = client()
a.open(target="?keep")
a.end()
a.leave()
b = client()
b.get("?use")
b.end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
if ngx.var.args == "keep" then
    package.loaded["parity.ended"] = assert(server:new())
    return
end
local other = package.loaded["parity.ended"]
t.try(other.send_text, other, "x")
t.try(other.recv_frame, other)
