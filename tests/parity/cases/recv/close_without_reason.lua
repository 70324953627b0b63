-- SPDX-License-Identifier: BSD-2-Clause
-- A close frame with a code only, and one without.
--[=[ client
open()
close_frame(1000)
end()
client()
open()
close_frame()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
