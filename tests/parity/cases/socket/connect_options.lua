-- SPDX-License-Identifier: BSD-2-Clause
-- Options of connect that are wrong.
local t = require "parity"
local sock = ngx.socket.tcp()
t.try(sock.connect, sock, "127.0.0.1", 1, { pool_size = 0 })
t.try(sock.connect, sock, "127.0.0.1", 1, { pool_size = "x" })
t.try(sock.connect, sock, "127.0.0.1", 1, { backlog = -1 })
t.try(sock.connect, sock, "127.0.0.1", 1, { pool = {} })
t.try(sock.connect, sock, "127.0.0.1", 1, { pool = 5 })
t.try(sock.connect, sock, "127.0.0.1", 1, "x")
