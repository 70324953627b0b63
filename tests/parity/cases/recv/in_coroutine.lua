-- SPDX-License-Identifier: BSD-2-Clause
-- recv_frame within a coroutine.
--[=[ client
open()
text("one")
text("two")
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
for data, typ in coroutine.wrap(function()
    while true do
        local data, typ = wb:recv_frame()
        if not data or typ == "close" then
            return
        end
        coroutine.yield(data, typ)
    end
end) do
    t.tell(wb, data, typ)
end
