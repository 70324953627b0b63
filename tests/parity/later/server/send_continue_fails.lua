-- SPDX-License-Identifier: BSD-2-Clause
-- send_continue on objects that cannot send.
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server.send_continue({}, "x"))
t.say(server.send_continue({ fatal = true }, "x"))
