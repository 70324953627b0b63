-- SPDX-License-Identifier: BSD-2-Clause
-- One byte too much, and as much as is allowed.
--[=[ client
open()
text("x" * 10)
text("y" * 11)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 10 })
t.tell_frames(wb)
