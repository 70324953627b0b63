-- SPDX-License-Identifier: BSD-2-Clause
-- A megabyte in one frame.
--[=[ client
open()
binary("0123456789abcdef" * 65536)
close_frame(1000)
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { max_payload_len = 1048576 })
local data, typ, err = wb:recv_frame()
t.tell(wb, #data, typ, err, ngx.md5(data))
t.tell(wb, wb:recv_frame())
