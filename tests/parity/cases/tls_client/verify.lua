-- SPDX-License-Identifier: BSD-2-Clause
-- Certificates that are good.
--[=[ upstream
for _ in range(2):
    accept(tls={})
    end()
]=]
local t = require "parity"
for _, name in ipairs { "app.parity", "localhost" } do
    local sock = t.connect()
    t.say(name, sock:sslhandshake(false, name, true))
    t.say(sock:close())
end
