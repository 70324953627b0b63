-- SPDX-License-Identifier: BSD-2-Clause
-- 65535 bytes are allowed, 65536 are not.
--[=[ client
open()
binary("x" * 65535)
wait_frames(1)
hex("82 ff 00 00 00 00 00 01 00 00")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
local data, typ, err = wb:recv_frame()
t.tell(wb, #data, typ, err, ngx.md5(data))
t.tell(wb, wb:recv_frame())
