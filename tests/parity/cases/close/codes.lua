-- SPDX-License-Identifier: BSD-2-Clause
-- send_close checks no code from below.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb = assert(server:new())
for _, code in ipairs { 0, 1, 999, 1005, 4999, 5000, 32767, -1 } do
    t.tell(wb, code, wb:send_close(code))
end
