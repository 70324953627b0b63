-- SPDX-License-Identifier: BSD-2-Clause
-- A TLS connection from the pool.
--[=[ upstream
accept(tls={})
answer_101()
wait_frames(2)
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local uri = "wss://127.0.0.1:" .. t.port() .. "/x"
local wb = assert(client:new())
t.say((wb:connect(uri)))
t.say(wb:send_text("one"))
t.say(wb:set_keepalive(5000))
wb = assert(client:new())
t.say((wb:connect(uri)))
t.say(wb.sock:getreusedtimes())
t.say(wb:send_text("two"))
t.say(wb:close())
