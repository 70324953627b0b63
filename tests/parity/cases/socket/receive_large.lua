-- SPDX-License-Identifier: BSD-2-Clause
-- A line and a block larger than any buffer.
--[=[ upstream
accept()
send("x" * 100000 + "\n" + "y" * 300000)
]=]
local t = require "parity"
local sock = t.connect()
local line = sock:receive()
local block = sock:receive(300000)
t.say(#line, ngx.md5(line), #block, ngx.md5(block))
sock:close()
