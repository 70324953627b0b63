-- SPDX-License-Identifier: BSD-2-Clause
-- A server's faults, and what the object is afterwards.
--[=[ upstream
for bad in ("91 00", "83 00", "8b 00", "09 00", "89 fe 01 00", "81 7f 00 00 00 00 80 00 00 00",
            "82 7f 00 00 00 00 00 01 00 00", "88 01 00", "81 05 68 69"):
    accept()
    answer_101()
    hex(bad.replace("fe", "7e"))
    fin()
    end()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
for _ = 1, 9 do
    local wb = assert(client:new())
    wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
    t.say(wb:recv_frame())
    t.say(wb.fatal, wb:send_text("x"))
    t.say(wb:recv_frame())
    t.say(wb:close())
    wb.sock:close()
end
