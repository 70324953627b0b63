-- SPDX-License-Identifier: BSD-2-Clause
-- A second send while one is under way fails, for good.
--[=[ client
open()
a = client()
a.get("?read")
a.end()
]=]
local server = require "resty.websocket.server"
local t = require "parity"
if ngx.var.args == "read" then
    package.loaded["parity.two_writers"]:post()
    return
end
local ready = require("ngx.semaphore").new()
package.loaded["parity.two_writers"] = ready
local wb = assert(server:new { max_payload_len = 33554432 })
local first = ngx.thread.spawn(function() return wb:send_binary(("x"):rep(33554432)) end)
local bytes, err = wb:send_text("y")
local fatal = wb.fatal
ready:wait(5)
t.say(ngx.thread.wait(first))
t.tell(wb, bytes, err, fatal)
