-- SPDX-License-Identifier: BSD-2-Clause
-- 2^31 - 1 is a length, only more than is allowed.
--[=[ client
open()
hex("81 ff 00 00 00 00 7f ff ff ff")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
t.tell_frames(wb)
