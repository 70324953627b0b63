-- SPDX-License-Identifier: BSD-2-Clause
-- protocol.send_frame on a table's send: the checks in their order.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local function try(...)
    local sent
    local sock = {
        send = function(_, data)
            sent = data
            return #data
        end,
    }
    local bytes, err = protocol.send_frame(sock, ...)
    t.say(bytes, err, sent)
end

try(true, 1, "hello", 100)
try(false, 1, "hello", 100)
try(true, 1, nil, 100)
try(true, 1, false, 100)
try(true, 1, 12.5, 100)
try(true, 1, true, 100)
try(true, 1, setmetatable({}, { __tostring = function() return "made" end }), 100)
try(true, 1, "hello", 4)
try(true, 1, "hello", 5)
try(true, 1, 12345, 4)
try(true, 9, ("x"):rep(125), 200)
try(true, 9, ("x"):rep(126), 200)
try(true, 9, ("x"):rep(126), 100)
try(false, 9, "x", 100)
try(false, 8, ("x"):rep(126), 200)
try(false, 8, ("x"):rep(126), 100)
try(true, 15, "x", 100)
try(true, 31, "x", 100)
