-- SPDX-License-Identifier: BSD-2-Clause
-- A payload of 2^31 bytes.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
t.try(protocol.build_frame, true, 1, 0x80000000, "", false)
t.try(protocol.build_frame, true, 1, 0xffffffff, "", true)
t.say(#protocol.build_frame(true, 1, 0x7fffffff, "", false))
