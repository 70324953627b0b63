-- SPDX-License-Identifier: BSD-2-Clause
-- A connect that waits in vain for a place.
--[=[ upstream
accept()
]=]
local t = require "parity"
local opts = { pool = "backlog timeout" .. t.port(), pool_size = 1, backlog = 1 }
local sock = t.connect(opts)
local second = ngx.socket.tcp()
second:settimeout(20)
t.say(second:connect("127.0.0.1", t.port(), opts))
sock:close()
