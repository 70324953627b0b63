-- SPDX-License-Identifier: BSD-2-Clause
-- settimeout and settimeouts return nothing; what they do not take.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
t.say(select("#", sock:settimeout(5)), select("#", sock:settimeouts(1, 2, 3)))
t.say(sock:receive())
sock:settimeouts(1000, 1000, 5)
t.say(sock:receive(1))
t.try(sock.settimeout, sock)
t.try(sock.settimeout, sock, "x")
t.try(sock.settimeouts, sock, 1, 2)
t.try(sock.settimeout, sock, -1)
t.try(sock.settimeouts, sock, nil, nil, 5)
t.say(sock:receive(1))
sock:close()
