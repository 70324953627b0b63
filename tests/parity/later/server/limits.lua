-- SPDX-License-Identifier: BSD-2-Clause
-- max_payload_len is the default of both.
--[=[ client
open()
end()
client()
open(target="?10")
end()
client()
open(target="?both")
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local opts
if ngx.var.args == "10" then
    opts = { max_payload_len = 10 }
elseif ngx.var.args == "both" then
    opts = { max_payload_len = 10, max_recv_len = 20, max_send_len = 30 }
end
local wb = assert(server:new(opts))
t.tell(wb, wb.max_recv_len, wb.max_send_len, wb.send_masked)
