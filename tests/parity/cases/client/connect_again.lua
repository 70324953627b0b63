-- SPDX-License-Identifier: BSD-2-Clause
-- An object connects again; what it was stays.
--[=[ upstream
accept()
answer_101()
end()
accept()
answer_101()
text("x")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
local uri = "ws://127.0.0.1:" .. t.port() .. "/x"
t.say((wb:connect(uri)))
t.say(wb:close())
t.say((wb:connect(uri)))
t.say(wb.closed)
t.say(wb:send_text("x"))
t.say(wb:recv_frame())
wb.sock:close()
