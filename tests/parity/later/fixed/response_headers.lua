-- SPDX-License-Identifier: BSD-2-Clause
-- The answer's headers and status at a client.
--[=[ upstream
accept()
answer_101("X-One: 1", "X-Two: a", "X-Two: b")
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://127.0.0.1:" .. t.port() .. "/x")))
t.say(wb:get_resp_status_code(), wb:get_resp_headers())
t.say(wb:close())
