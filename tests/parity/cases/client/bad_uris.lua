-- SPDX-License-Identifier: BSD-2-Clause
-- What is no URI of a WebSocket.
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
for _, uri in ipairs { "", "x", "http://h/", "ws:/h", "ws//h", "ws://", "ws:///x", "WS://h/", " ws://h", "wsss://h/",
    "ws://:80/" } do
    t.say(uri, wb:connect(uri))
end
t.say((pcall(wb.connect, wb)))
