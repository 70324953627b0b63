-- SPDX-License-Identifier: BSD-2-Clause
-- The client has no send_continue.
local client = require "resty.websocket.client"
local t = require "parity"
t.say(client.send_continue, rawget(client, "send_continue"))
