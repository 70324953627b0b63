-- SPDX-License-Identifier: BSD-2-Clause
-- After the script itself has read the (empty) body.
--[=[ client
open()
]=]
local server = require "resty.websocket.server"
ngx.req.read_body()
assert(server:new()):send_text("made")
