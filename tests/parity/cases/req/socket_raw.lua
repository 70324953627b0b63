-- SPDX-License-Identifier: BSD-2-Clause
-- The raw socket: an answer by hand.
--[=[ client
get()
]=]
local t = require "parity"
local sock, err = ngx.req.socket(true)
t.say(sock, err)
sock:send("HTTP/1.1 201 By Hand\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
sock:send({ "a", { "b" }, 1 })
