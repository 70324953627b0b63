-- SPDX-License-Identifier: BSD-2-Clause
-- A timeout within each part of a head: the frame is resumed.
--[=[ client
for first, rest in (("82", "81 00 00 00 00 61"), ("82 fe 00", "7e 00 00 00 00" + "61" * 126),
                    ("82 ff 00 00 00 00 00", "00 00 7e 00 00 00 00" + "61" * 126), ("82 81 00 00", "00 00 61")):
    client()
    open(early=first)
    wait_frames(1)
    hex(rest)
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new { timeout = 20 })
t.tell(wb, wb:recv_frame())
wb:set_timeout(8000)
local data, typ, err = wb:recv_frame()
t.tell(wb, #data, typ, err)
wb:send_close(1000)
