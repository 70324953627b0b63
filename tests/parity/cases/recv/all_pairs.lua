-- SPDX-License-Identifier: BSD-2-Clause
-- protocol.recv_frame on a table's receive: all combinations of what may be wrong.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local function socket(data)
    return {
        receive = function(_, n)
            if #data < n then
                return nil, "closed", data
            end
            local part = data:sub(1, n)
            data = data:sub(n + 1)
            return part
        end,
    }
end

local lengths = {
    five = "\5", ext_16 = "\126\1\0", cut_16 = "\126\1", ext_64 = "\127\0\0\0\0\0\1\0\0",
    cut_64 = "\127\0\0\0\0", huge_64 = "\127\0\0\0\0\128\0\0\0", top_64 = "\127\128\0\0\0\0\0\0\0",
}
local names = { "five", "ext_16", "cut_16", "ext_64", "cut_64", "huge_64", "top_64" }
for _, fin in ipairs { 128, 0 } do
    for _, rsv in ipairs { 0, 64 } do
        for _, opcode in ipairs { 1, 3, 11, 8, 9 } do
            for _, mask in ipairs { 128, 0 } do
                for _, name in ipairs(names) do
                    local length = lengths[name]
                    local head = string.char(fin + rsv + opcode, mask + length:byte()) .. length:sub(2)
                    local data, typ, err = protocol.recv_frame(socket(head .. "\0\0\0\0abc"), 200, true)
                    t.say(fin, rsv, opcode, mask, name, data, typ, err)
                end
            end
        end
    end
end
