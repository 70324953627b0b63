-- SPDX-License-Identifier: BSD-2-Clause
-- URIs that look like those of unix sockets, and are none.
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://unix:/p.sock"))
t.say(wb:connect("ws://h/x?u=unix:"))
t.say(wb:connect("ws://unix::/x"))
t.say(wb:connect("ws://unix:/nowhere.sock:/x"))
