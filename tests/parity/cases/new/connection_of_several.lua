-- SPDX-License-Identifier: BSD-2-Clause
-- "upgrade" anywhere in Connection.
--[=[ client
for value in ("keep-alive, Upgrade", "Upgrade, keep-alive", "xupgradex", "UPGRADE"):
    client()
    open(change={"Connection": value})
    end()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_text("made")
