-- SPDX-License-Identifier: BSD-2-Clause
-- After a refusal the script answers as it likes.
--[=[ client
upgrade(drop=["Sec-WebSocket-Key"], change={"Connection": "Upgrade, close"})
]=]
local server = require "resty.websocket.server"
local t = require "parity"
local wb, err = server:new()
if not wb then
    ngx.status = 400
    ngx.header["Sec-WebSocket-Version"] = "13"
    t.say(err)
    return
end
