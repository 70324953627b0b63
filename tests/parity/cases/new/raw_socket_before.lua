-- SPDX-License-Identifier: BSD-2-Clause
-- The raw socket was taken before.
--[=[ client
upgrade(change={"Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local sock = assert(ngx.req.socket(true))
local wb, err = server:new()
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. t.show(wb, err) .. "\n")
