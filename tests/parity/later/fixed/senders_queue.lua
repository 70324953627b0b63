-- SPDX-License-Identifier: BSD-2-Clause
-- Sends of several threads queue up behind a slow reader.
--[=[ client
open()
a = client()
a.get("?read")
a.end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
if ngx.var.args == "read" then
    package.loaded["parity.senders"]:post()
    return
end
local ready = require("ngx.semaphore").new()
package.loaded["parity.senders"] = ready
local wb = assert(server:new { max_payload_len = 33554432 })
local block = ("x"):rep(33554432)
local threads = {}
for i = 1, 2 do
    threads[i] = ngx.thread.spawn(function() return wb:send_binary(block) end)
end
ready:wait(5)
for _, th in ipairs(threads) do
    t.tell(wb, ngx.thread.wait(th))
end
wb:send_close(1000)
