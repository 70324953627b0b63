-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.req.socket() reads a body.
--[=[ client
request("POST", body="hello body\nsecond line\nrest")
]=]
local t = require "parity"
local sock, err = ngx.req.socket()
t.say(type(sock), err)
t.say(sock:receive())
t.say(sock:receive(6))
t.say(sock:receive("*l"))
t.say(sock:receive(100))
t.say(sock:receive(1))
t.try(sock.send, sock, "x")
