-- SPDX-License-Identifier: BSD-2-Clause
-- A status that was set before is replaced.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
ngx.status = 404
assert(server:new())
