-- SPDX-License-Identifier: BSD-2-Clause
-- Nothing goes to the pool that the peer has closed.
--[=[ upstream
accept()
leave()
]=]
local t = require "parity"
local sock = t.connect()
t.say(sock:receive())
t.say(sock:setkeepalive())
