-- SPDX-License-Identifier: BSD-2-Clause
-- Headers that are no table.
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:1/x", { headers = "X: y" }))
t.say(wb:connect("ws://127.0.0.1:1/x", { headers = 1 }))
