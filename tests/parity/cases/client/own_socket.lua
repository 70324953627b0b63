-- SPDX-License-Identifier: BSD-2-Clause
-- A socket of the script's own making that fails at each step of connect().
local t = require "parity"
local client = require "resty.websocket.client"

local function step(name, ...)
    local results = { n = select("#", ...), ... }
    return function (self, ...)
        t.say(name)
        return unpack(results, 1, results.n)
    end
end

local function header()
    return step("reader", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
end

local plans = {
    { connect = step("connect", nil, "as it likes") },
    { connect = step("connect", 1), getreusedtimes = step("times", nil, "none counted") },
    { connect = step("connect", 1), getreusedtimes = step("times", 1) }, -- from a pool
    { connect = step("connect", 1), getreusedtimes = step("times", 0), send = step("send", nil, "not taken") },
    { connect = step("connect", 1), getreusedtimes = step("times", 0), send = step("send", 10),
      receiveuntil = function () return step("reader", nil, "nothing there") end },
    { connect = step("connect", 1), getreusedtimes = step("times", 0), send = step("send", 10),
      receiveuntil = header },
    { connect = step("connect", 1), getreusedtimes = step("times", 0), send = step("send", 10),
      receiveuntil = header, setkeepalive = step("setkeepalive", 1), close = step("close", 1) },
}
for i, plan in ipairs(plans) do
    local wb = client:new()
    wb.sock = plan
    t.say(i)
    local ok, err = wb:connect("ws://127.0.0.1:9/path")
    t.say(ok, err)
    t.say(wb.fatal, wb.closed)
end
local wb = client:new()
wb.sock = plans[7]
t.try(wb.set_keepalive, wb, 1000, 5)
wb.sock = { send = step("send", nil, "gone"), close = step("close", 1) }
t.try(wb.close, wb)
t.say(wb.fatal, wb.closed)
