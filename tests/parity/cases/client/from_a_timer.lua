-- SPDX-License-Identifier: BSD-2-Clause
-- A client in a timer.
--[=[ client
get()
end()
notes()
]=]
--[=[ upstream
accept()
answer_101()
text("tick")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local n, port = t.notes(), t.port()
ngx.timer.at(0, function()
    local wb = assert(client:new())
    n.note((wb:connect("ws://127.0.0.1:" .. port .. "/x")))
    n.note(wb:recv_frame())
    n.note(wb:close())
    n.done()
end)
