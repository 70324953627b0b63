-- SPDX-License-Identifier: BSD-2-Clause
-- The three forms of lengths, at their edges.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
for _, n in ipairs { 0, 1, 125, 126, 127, 65535, 65536, 100000 } do
    local frame = protocol.build_frame(true, 1, n, ("x"):rep(n), false)
    t.say(n, #frame, frame:sub(1, 12), ngx.md5(frame))
end
