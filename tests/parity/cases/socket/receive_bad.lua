-- SPDX-License-Identifier: BSD-2-Clause
-- What receive does not take.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
t.try(sock.receive, sock, "*x")
t.try(sock.receive, sock, "x")
t.try(sock.receive, sock, -1)
t.try(sock.receive, sock, {})
t.try(sock.receive, sock, true)
t.try(sock.receive, sock, "*l", "x")
t.try(sock.receive)
sock:close()
