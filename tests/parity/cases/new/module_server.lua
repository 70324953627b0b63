-- SPDX-License-Identifier: BSD-2-Clause
-- What the server module holds.
local server = require "resty.websocket.server"
local t = require "parity"
local names = {}
for name in pairs(server) do
    names[#names + 1] = name
end
table.sort(names)
t.say(#names, names)
