-- SPDX-License-Identifier: BSD-2-Clause
-- access yields while frames come already.
--[=[ client
upgrade()
text("early")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell(wb, wb:recv_frame())
