-- SPDX-License-Identifier: BSD-2-Clause
-- The methods of a server, all of them functions.
local server = require "resty.websocket.server"
local t = require "parity"
for _, name in ipairs { "new", "recv_frame", "send_binary", "send_close", "send_frame", "send_ping", "send_pong",
    "send_text", "set_timeout" } do
    t.say(name, type(server[name]))
end
