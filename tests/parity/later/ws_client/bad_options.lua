-- SPDX-License-Identifier: BSD-2-Clause
-- Options of the wrong kind.
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say(wb:connect("ws://127.0.0.1:1/x", { host = 5 }))
t.say(wb:connect("ws://127.0.0.1:1/x", { key = {} }))
t.say(wb:connect("ws://127.0.0.1:1/x", { headers = "X: y" }))
t.try(wb.connect, wb, "ws://127.0.0.1:1/x", { client_cert = "x" })
