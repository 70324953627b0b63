-- SPDX-License-Identifier: BSD-2-Clause
-- The usual way out: nothing is answered.
--[=[ client
get()
]=]
local server = require "resty.websocket.server"
local wb = server:new()
if not wb then
    return ngx.exit(444)
end
