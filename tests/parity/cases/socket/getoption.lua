-- SPDX-License-Identifier: BSD-2-Clause
-- Options that are read.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:setoption("keepalive", true), sock:getoption("keepalive"))
t.say(sock:setoption("tcp-nodelay", true), sock:getoption("tcp-nodelay"))
t.say(type(sock:getoption("sndbuf")), type(sock:getoption("rcvbuf")))
t.say(sock:getoption("nothing"))
sock:close()
