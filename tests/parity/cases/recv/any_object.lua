-- SPDX-License-Identifier: BSD-2-Clause
-- protocol.recv_frame on a table's receive: what it asks for, and the values it gives.
local protocol = require "resty.websocket.protocol"
local t = require "parity"
local function socket(parts)
    local asked = {}
    return {
        receive = function(_, n)
            asked[#asked + 1] = n
            return unpack(table.remove(parts, 1) or { nil, "closed" })
        end,
    }, asked
end

local function try(max, masking, ...)
    local sock, asked = socket { ... }
    local data, typ, err = protocol.recv_frame(sock, max, masking)
    t.say(data, typ, err, asked)
end

try(100, false, { "\129\5" }, { "hello" })
try(100, true, { "\129\133" }, { "\0\0\0\0hello" })
try(100, false, { "\129\133" }, { "\1\1\1\1hello" })
try(100, false, { "\129\0" })
try(100, true, { "\129\128" }, { "abcd" })
try(300, false, { "\1\126" }, { "\0\200" }, { ("x"):rep(200) })
try(300, false, { "\130\127" }, { "\0\0\0\0\0\0\0\3" }, { "abc" })
try(300, false, { "\136\2" }, { "\3\232" })
try(300, false, { "\136\4" }, { "\3\232ab" })
try(300, false, { "\136\0" })
try(300, false, { nil, "timeout" })
try(300, false, { "\129\126" }, { nil, "timeout" })
try(300, false, { "\129\127" }, { nil, "timeout" })
try(300, false, { "\129\5" }, { nil, "timeout", "ab" })
try(300, false, { "\129\126" }, { nil })
try(300, false, { "\129\127" }, { nil })
try(300, false, { "\129\5" }, { nil })
try(300, true, { "\129\5" })
try(4, false, { "\129\5" })
try(5, false, { "\129\5" }, { "hello" })
try(4, true, { "\137\133" })
