-- SPDX-License-Identifier: BSD-2-Clause
-- The end within the mask, and within the payload.
--[=[ client
for part in ("", "01", "01 02 03", "01 02 03 04", "01 02 03 04 05 06 07 08"):
    client()
    open()
    hex("81 85 " + part)
    fin()
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
