-- SPDX-License-Identifier: BSD-2-Clause
-- A unix socket in the URI.
--[=[ upstream
accept_unix()
answer_101()
]=]
local client = require "resty.websocket.client"
local t = require "parity"
local wb = assert(client:new())
t.say((wb:connect("ws://unix:" .. t.path() .. ":/path?a=b")))
t.say(wb:close())
