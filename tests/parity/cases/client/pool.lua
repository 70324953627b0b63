-- SPDX-License-Identifier: BSD-2-Clause
-- The pool's name decides.
--[=[ upstream
accept()
answer_101()
wait_frames(1)
accept()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local uri = "ws://127.0.0.1:" .. t.port() .. "/x"
local first = assert(client:new())
t.say((first:connect(uri, { pool = "one" .. t.port() })))
t.say(first:set_keepalive())
local second = assert(client:new())
t.say((second:connect(uri, { pool = "one" .. t.port() })))
t.say(second.sock:getreusedtimes())
t.say(second:send_text("by the first"))
local third = assert(client:new())
t.say((third:connect(uri)))
t.say(third.sock:getreusedtimes())
t.say(second:close())
t.say(third:close())
