-- SPDX-License-Identifier: BSD-2-Clause
-- What the protocol module holds.
local protocol = require "resty.websocket.protocol"
local names = {}
for name, value in pairs(protocol) do
    names[#names + 1] = name .. " " .. type(value)
end
table.sort(names)
for _, name in ipairs(names) do
    ngx.say(name)
end
