-- SPDX-License-Identifier: BSD-2-Clause
-- Arguments of other kinds.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
t.say((pcall(protocol.build_frame, true, nil, 1, "x", false)))
t.say((pcall(protocol.build_frame, true, {}, 1, "x", false)))
t.say((pcall(protocol.build_frame, true, 1, nil, "x", false)))
t.say((pcall(protocol.build_frame, true, 1, 1, nil, false)))
t.say((pcall(protocol.build_frame)))
