-- SPDX-License-Identifier: BSD-2-Clause
-- The limit of a client, by option and by default.
--[=[ upstream
accept()
answer_101()
text("12345")
text("123456")
end()
accept()
answer_101()
text("x" * 65535)
hex("81 7f 00 00 00 00 00 01 00 00")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new { max_payload_len = 5 })
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
t.say(wb:send_text("12345"))
t.say(wb:recv_frame())
t.say(wb:recv_frame())
wb.sock:close()
wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
local data, typ, err = wb:recv_frame()
t.say(#data, typ, err)
t.say(wb:recv_frame())
wb.sock:close()
