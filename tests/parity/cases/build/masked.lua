-- SPDX-License-Identifier: BSD-2-Clause
-- A mask of four bytes, of which the payload is made again.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local bit = require "bit"
for _, n in ipairs { 0, 1, 3, 4, 5, 125, 126, 65536 } do
    local payload = ("payload-"):rep(math.ceil(n / 8)):sub(1, n)
    local frame = protocol.build_frame(true, 2, n, payload, true)
    local head = #frame - n - 4
    local key, out = { frame:byte(head + 1, head + 4) }, {}
    for i = 1, n do
        out[i] = string.char(bit.bxor(frame:byte(head + 4 + i), key[(i - 1) % 4 + 1]))
    end
    t.say(n, frame:sub(1, head), table.concat(out) == payload)
end
