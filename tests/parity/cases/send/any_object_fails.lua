-- SPDX-License-Identifier: BSD-2-Clause
-- What the table's send says becomes the error.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local function try(...)
    local results = { ... }
    t.try(protocol.send_frame, {
        send = function()
            return unpack(results, 1, 3)
        end,
    }, true, 1, "hello", 100)
end

try(nil, "broken")
try(nil, "timeout", 3)
try(7)
try("anything")
t.say((pcall(protocol.send_frame, { send = function() end }, true, nil, "x", 10)))
