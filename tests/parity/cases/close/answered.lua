-- SPDX-License-Identifier: BSD-2-Clause
-- The usual exchange.
--[=[ client
open()
close_frame(4000, "enough")
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
local data, typ, code = wb:recv_frame()
wb:send_close(code, data .. " " .. typ)
