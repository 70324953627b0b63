-- SPDX-License-Identifier: BSD-2-Clause
-- What receiveuntil does not take.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
t.try(sock.receiveuntil, sock, "")
t.try(sock.receiveuntil, sock)
t.try(sock.receiveuntil, sock, {})
t.try(sock.receiveuntil, sock, "x", "y")
t.try(sock.receiveuntil, sock, "x", { inclusive = 1 })
t.try(sock.receiveuntil, sock, 5)
sock:close()
