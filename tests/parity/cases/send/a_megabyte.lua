-- SPDX-License-Identifier: BSD-2-Clause
-- A large frame to a client that reads late.
--[=[ client
open()
text("go")
wait_frames(1)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 4194304 })
wb:recv_frame()
local bytes, err = wb:send_binary(("0123456789abcdef"):rep(262144))
t.tell(wb, bytes, err)
