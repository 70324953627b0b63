-- SPDX-License-Identifier: BSD-2-Clause
-- A name.
--[=[ upstream
accept()
]=]
local t = require "parity"
local sock = ngx.socket.tcp()
t.say(sock:connect("app.parity", t.port()))
t.say(sock:close())
