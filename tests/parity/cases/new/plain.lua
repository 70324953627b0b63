-- SPDX-License-Identifier: BSD-2-Clause
-- The answer of a handshake, and what the object holds.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb, err = server:new()
t.tell(wb, type(wb), err, wb.sock ~= nil, wb.fatal, wb.send_masked)
t.tell(wb, ngx.status, ngx.headers_sent)
