-- SPDX-License-Identifier: BSD-2-Clause
-- After a close frame of the script's own none is added.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server:new())
wb:send_close(4000, "mine")
