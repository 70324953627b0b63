-- SPDX-License-Identifier: BSD-2-Clause
-- protocol.new_tab makes tables.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
t.say(protocol.new_tab(4, 4))
t.say(next(protocol.new_tab(0, 5)))
