-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.socket.connect and ngx.socket.stream.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock, err = ngx.socket.connect("127.0.0.1", t.port())
t.say(type(sock), err)
t.say(sock:send("x"))
t.say(sock:close())
t.say(ngx.socket.connect("127.0.0.1", 1))
t.say(type(ngx.socket.stream), type(ngx.socket.tcp))
