-- SPDX-License-Identifier: BSD-2-Clause
-- Options of sockets.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:setoption("keepalive", true))
t.say(sock:setoption("tcp-nodelay", true))
t.say(sock:setoption("reuseaddr", true))
t.say(sock:setoption("sndbuf", 8192))
t.say(sock:setoption("rcvbuf", 8192))
t.say(sock:setoption("nothing", 1))
t.say(sock:setoption("keepalive"))
t.say(sock:setoption())
sock:close()
