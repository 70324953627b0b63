-- SPDX-License-Identifier: BSD-2-Clause
-- The constructor by its other form.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
local wb = assert(server.new(nil, { timeout = 5000 }))
wb:send_text("made")
