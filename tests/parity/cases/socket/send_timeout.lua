-- SPDX-License-Identifier: BSD-2-Clause
-- A send that is not taken in time closes the socket.
--[=[ upstream
first = accept()
second = accept()
second.wait("done")
first.forget()
]=]
local t = require "parity"
local sock = t.connect()
sock:settimeouts(1000, 50, 1000)
t.say(sock:send(("x"):rep(33554432)))
t.say(sock:send("y"))
t.say(sock:receive(1))
t.say(sock:close())
local second = t.connect()
second:send("done")
second:close()
