-- SPDX-License-Identifier: BSD-2-Clause
-- What the client module holds.
local client = require "resty.websocket.client"
local t = require "parity"
local names = {}
for name in pairs(client) do
    names[#names + 1] = name
end
table.sort(names)
t.say(#names, names)
