-- SPDX-License-Identifier: BSD-2-Clause
-- Frames of a server, masked ones among them.
--[=[ upstream
accept()
answer_101()
text("plain")
text("masked", mask=KEY)
text("", mask=KEY)
binary("part", fin=False)
frame(0, "end")
ping("p")
frame(8, "\x03\xe9going", mask=KEY)
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")
repeat
    local data, typ, err = wb:recv_frame()
    t.say(data, typ, err)
until typ == "close" or not data
wb:close()
