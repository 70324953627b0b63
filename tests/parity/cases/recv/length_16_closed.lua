-- SPDX-License-Identifier: BSD-2-Clause
-- The end within a 16-bit length.
--[=[ client
for part in ("", "01"):
    client()
    open()
    hex("81 fe " + part)
    fin()
    end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
